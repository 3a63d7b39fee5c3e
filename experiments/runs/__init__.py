"""The command over recorded runs: ``python -m experiments.runs list``, and more.

It imports neither Sacred nor PyTorch before a subcommand needs them, and starts at once.
"""
