"""``python -m experiments.omniboard``: see the recorded runs in a browser."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from experiments.errors import PlainError
from experiments.omniboard.serve import PORT, serve
from experiments.run_folder import runs_root


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.omniboard", description=__doc__)
    parser.add_argument("--runs-dir", type=Path, default=runs_root(), help="folder of all runs")
    parser.add_argument(
        "--mongo-url",
        default=os.environ.get("HIPREG_MONGO_URL"),
        help="a MongoDB to use (default: HIPREG_MONGO_URL, where a password is seen by nobody "
        "else; without one, a server of its own)",
    )
    parser.add_argument("--port", type=int, default=PORT, help="first port to try (%(default)s)")
    given = parser.parse_args(arguments)
    try:
        serve(given.runs_dir, given.mongo_url, port=given.port)
    except PlainError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
