"""``python -m experiments.runs``."""

from __future__ import annotations

import sys

from experiments.runs.command import main

if __name__ == "__main__":
    sys.exit(main())
