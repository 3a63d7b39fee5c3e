"""Studies: Optuna searches over the configurations of ``experiments/train.py``."""
