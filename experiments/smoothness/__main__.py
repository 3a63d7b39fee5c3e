"""``python -m experiments.smoothness``."""

from __future__ import annotations

import sys

from experiments.smoothness.command import main
from experiments.words import run_command

if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
