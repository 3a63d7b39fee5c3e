"""Makes a study's plan of what a command line says, after checking that it goes together."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.configuration import Resolved, resolve
from experiments.errors import PlainError
from hipreg.evaluation import DEFINITIONS
from studies.configuration import OURS, data_of
from studies.modes import Mode, halving
from studies.plan import Plan, find_space
from studies.space import Space


def make_plan(space: str, mode: Mode, overrides: Sequence[str], epochs: int | None) -> Plan:
    """Check that a space, a mode and arguments of train.py go together.

    Args:
        space: Its name.
        mode: What is optimised.
        overrides: Arguments of train.py after ``with``.
        epochs: Of a whole training; None for those of the configuration.

    Raises:
        PlainError: They do not, or the data is missing.
    """
    chosen = find_space(space)
    resolved = resolve(overrides)
    refuse_conflicts(chosen, resolved)
    budget = int(resolved.config["epochs"]) if epochs is None else epochs
    if budget < 1:
        raise PlainError(f"--budget-epochs must be at least 1, got {budget}")
    return Plan(
        space=chosen,
        mode=mode,
        overrides=tuple(overrides),
        epochs=budget,
        data=data_of(resolved.config),
        metrics=DEFINITIONS,
        pruner=halving(mode, budget, int(resolved.config["eval_every"])) or "none",
    )


def data_now(overrides: Sequence[str]) -> str:
    """The data that train.py would take now, as a study names it."""
    return data_of(resolve(overrides).config)


def refuse_conflicts(space: Space, resolved: Resolved) -> None:
    """Stop where a space and a configuration set the same entries.

    Raises:
        PlainError: Naming them.
    """
    sets = space.entries()
    both = sorted(sets & resolved.given)
    if both:
        raise PlainError(f"space {space.name} searches {', '.join(both)}: leave it out after with")
    unknown = sorted(sets - set(resolved.config))
    if unknown:
        raise PlainError(f"space {space.name} sets {', '.join(unknown)}, which train.py lacks")
    ours = sorted(set(OURS) & resolved.given)
    if ours:
        hint = " (epochs: use --budget-epochs)" if "epochs" in ours else ""
        raise PlainError(f"a study sets {', '.join(ours)} itself: leave it out{hint}")
