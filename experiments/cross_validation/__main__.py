"""``python -m experiments.cross_validation``."""

from __future__ import annotations

import sys

from experiments.cross_validation.command import main
from experiments.words import run_command

if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
