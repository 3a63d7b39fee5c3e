"""``python -m experiments.peers``."""

from __future__ import annotations

if __name__ == "__main__":
    # Only here: each worker's process imports this file as well, and has no use for the rest.
    import sys

    from experiments.peers.command import main
    from experiments.words import run_command

    sys.exit(run_command(main, sys.argv[1:]))
