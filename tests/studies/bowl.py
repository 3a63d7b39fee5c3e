"""A search space over the bowl of quick_training, and a worker that trains in it."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import optuna
from optuna.storages import BaseStorage
from optuna.trial import BaseTrial

from experiments.words import run_command
from studies import worker
from studies.modes import Mode, mode_of
from studies.plan import Plan, begin
from studies.space import SPACES, Entries, Space, space

HERE = Path(__file__).resolve()
WORKER = (sys.executable, str(HERE))
PROGRAM = (sys.executable, str(HERE.with_name("quick_training.py")))
SINGLE = mode_of("single", None, {})
PASSWORD = "of-one-use-only"


@space("where in the bowl")
def bowl(trial: BaseTrial) -> Entries:
    return {"x": trial.suggest_float("x", -3, 3), "y": trial.suggest_float("y", -3, 3)}


def bowl_plan(
    *overrides: str, epochs: int = 4, mode: Mode = SINGLE, used: Space = SPACES["bowl"]
) -> Plan:
    """A study of the bowl."""
    pruner = {"min_resource": 1, "reduction_factor": 3} if mode.prunes else "none"
    return Plan(used, mode, overrides, epochs, "bowl 1", 1, pruner)


def begin_bowl(storage: BaseStorage, plan: Plan, *, sampler: str = "random") -> optuna.Study:
    """A new study of the bowl, named ``bowl``, without a trial."""
    study = begin(storage, "bowl", plan)
    study.set_user_attr("sampler", sampler)
    return study


if __name__ == "__main__":
    sys.exit(run_command(lambda words: worker.main(words, PROGRAM), sys.argv[1:]))
