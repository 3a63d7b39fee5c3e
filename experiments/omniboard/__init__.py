"""Omniboard over the recorded runs, with nothing else to install or to start.

``python -m experiments.omniboard`` or ``make omniboard``; how a lab has one for all is said in
OMNIBOARD.md beside this file.
"""

from experiments.omniboard.serve import serve

__all__ = ["serve"]
