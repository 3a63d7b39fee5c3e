"""What a training step, inference and evaluation cost: ``python -m hipreg.benchmark``."""

from hipreg.benchmark.setting import Setting
from hipreg.benchmark.suite import Plan, run_suite

__all__ = ["Plan", "Setting", "run_suite"]
