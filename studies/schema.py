"""What a study stores: the names of everything beside Optuna's own values, and where it lies.

A study is known by its name. Its trials have Optuna's states:

- COMPLETE: the training came to its end; value(s) as the mode says (``objectives`` below).
- PRUNED: ended early; the run's record says PRUNED too.
- RUNNING, WAITING: being trained; asked for, and not begun. The queue of a study is its WAITING
  trials.
- FAIL: with ``FAILED`` the training itself failed, and says why. Without it the trial was broken
  off with its worker, and another trial goes on with it, whose ``RETRY_OF`` names it. A trial
  that was broken off is not counted: its retry is.

Intermediate values are ``selection/dice`` by epoch (mode ``single`` alone; Optuna takes none of a
trial with several objectives, whose curves are in its run's record).
"""

from __future__ import annotations

# --- of a trial
RUN = "run"
"""Id of the run that trained it, a string; missing as long as there is none."""
RUN_FOLDER = "run_folder"
"""Path of its folder below the root of all runs, :func:`experiments.run_folder.runs_root`."""
DICE = "dice"
"""Mean Dice on the selection pairs, at the epoch where it is highest: the run's best weights."""
SDLOGJ = "sdlogj"
"""SDlogJ on the selection pairs at that epoch."""
FOLDING = "folding"
"""Share of folded voxels on the selection pairs at that epoch, 0 to 1."""
SECONDS_PER_PAIR = "seconds_per_pair"
"""Of inference: a pair in a batch, on the device, in seconds."""
TRAINING_SECONDS_PER_PAIR = "training_seconds_per_pair"
"""Of a training step: a pair's share of it in seconds."""
MEMORY_MB = "memory_mb"
"""Peak memory of the training in 10^6 bytes: of the process, or of its tensors on a GPU."""
SECONDS = "seconds"
"""Wall time of the training from its run's start to its end, in seconds, lineage included."""
EPOCHS = "epochs"
"""Epochs that were trained, those of the runs that it continued included."""
MACHINERY = "machinery_seconds"
"""What its worker spent on it: wall time while no training ran, CPU time while one did."""
ENTRIES = "entries"
"""The configuration entries that the search chose, by name, as train.py got them."""
WARM = "warm_start"
"""Where a trial's parameters come from that were not sampled: "published", or "STUDY/NUMBER"."""
PROCESS = "process"
"""The worker that trains it, as :func:`experiments.process.this_process` names it."""
FAILED = "failed"
"""Why the training failed; missing for one that was broken off with its worker."""
RETRY_OF = "retry_of"
"""Number of the trial that it goes on with."""

# --- of a study
SPACE = "space"
"""Name of the search space, a function of :mod:`studies.spaces`."""
SEARCH_SPACE = "search_space"
"""Parameters by name: kind (float, int, categorical), and low, high, log, step or choices."""
MAPPING = "mapping"
"""What the space makes of one point in its middle: ``parameters`` and ``entries``."""
MODE = "mode"
"""``single`` or ``pareto``."""
AGAINST = "against"
"""``sdlogj`` or ``cost``: what mode ``pareto`` sets Dice against; None in mode ``single``."""
OBJECTIVES = "objectives"
"""Names of the trial attributes that are its values, in order: ["dice"], ["dice", "sdlogj"] or
["dice", "seconds_per_pair"]. Dice is maximised, the others are minimised."""
METRIC_NAMES = {
    DICE: "selection/dice",
    SDLOGJ: "selection/sdlogj",
    SECONDS_PER_PAIR: "seconds_per_pair",
}
"""What Optuna's own tools call the objectives: the metrics of the runs that they are."""
LIMITS = "limits"
"""Largest values of trial attributes (``folding``, ``sdlogj``) in mode ``single``. A trial's
constraint of that name is its value minus the limit: feasible where it is not positive."""
SAMPLER = "sampler"
"""``tpe``, ``gp`` or ``random``, of the newest command on the study."""
PRUNER = "pruner"
"""``none``, or the settings of successive halving by name."""
OVERRIDES = "overrides"
"""Arguments of train.py that all trials share, as after ``with``."""
BUDGET_EPOCHS = "budget_epochs"
"""Epochs of a whole training."""
DATA = "data_fingerprint"
"""Data set and fingerprint of the prepared images, as "hippocampus 0a1b2c"."""
METRICS = "metric_definitions"
"""Version of the definitions of the metrics, :data:`hipreg.evaluation.DEFINITIONS`."""
CODE = "code"
"""Commit that the study began with; None outside a repository."""

SINGLE, PARETO = "single", "pareto"
