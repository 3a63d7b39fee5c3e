"""What a person sees of a study: a bar over its trials with ETA, a line for each, the best."""

from __future__ import annotations

import logging
from types import TracebackType

import optuna
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from experiments.capture import terminal_columns
from studies import schema
from studies.modes import feasible
from studies.storage import command_on
from studies.trials import counted, is_done

logger = logging.getLogger("hipreg.studies")


class Progress:
    """A bar over the trials of a study; without a terminal the lines alone."""

    def __init__(self, study: optuna.Study) -> None:
        """Show what is done already."""
        self._study = study
        trials = counted(study.get_trials(deepcopy=False))
        self._said = {trial.number for trial in trials if is_done(trial)}
        self._bar = tqdm(
            total=len(trials),
            initial=len(self._said),
            unit="trial",
            desc=study.study_name,
            disable=terminal_columns() is None,
            ncols=terminal_columns(),
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def update(self) -> int:
        """Say what is new; returns how many trials are done."""
        trials = counted(self._study.get_trials(deepcopy=False))
        done = [trial for trial in trials if is_done(trial)]
        for trial in sorted(done, key=lambda trial: str(trial.datetime_complete)):
            if trial.number not in self._said:
                self._said.add(trial.number)
                self._say(line(trial, self._limits))
                self._bar.update(1)
        best = best_trial(self._study, trials)
        if best is not None:
            self._bar.set_postfix_str(f"best Dice {best.user_attrs[schema.DICE]:.4f}")
        return len(done)

    @property
    def _limits(self) -> dict[str, float]:
        return dict(self._study.user_attrs.get(schema.LIMITS) or {})

    def _say(self, text: str) -> None:
        if self._bar.disable:
            logger.info("%s (%d of %d)", text, len(self._said), self._bar.total)
        else:
            self._bar.write(text)


def line(trial: FrozenTrial, limits: dict[str, float]) -> str:
    """One finished trial in one line."""
    found = trial.user_attrs
    words = [f"trial {trial.number}"]
    words += [f"run {found[schema.RUN]}"] if schema.RUN in found else []
    if schema.DICE in found:
        words.append(f"Dice {found[schema.DICE]:.4f}")
    if schema.SDLOGJ in found:
        words.append(f"SDlogJ {found[schema.SDLOGJ]:.4f}")
    if trial.state == TrialState.PRUNED:
        words.append(f"pruned after epoch {found.get(schema.EPOCHS, '?')}")
    elif trial.state == TrialState.FAIL:
        words.append(f"FAILED: {found.get(schema.FAILED, 'its worker died again and again')}")
    elif limits and not feasible(found, limits):
        over = [name for name, limit in limits.items() if found.get(name, 0) > limit]
        words.append(f"beyond the limit of {', '.join(over)}")
    return ", ".join(words)


def best_trial(study: optuna.Study, trials: list[FrozenTrial]) -> FrozenTrial | None:
    """The finished trial of the highest Dice that keeps the limits; None where there is none."""
    limits = study.user_attrs.get(schema.LIMITS) or {}
    fitting = [
        trial
        for trial in trials
        if trial.state == TrialState.COMPLETE
        and schema.DICE in trial.user_attrs
        and feasible(trial.user_attrs, limits)
    ]
    return max(fitting, key=lambda trial: trial.user_attrs[schema.DICE], default=None)


def summary(study: optuna.Study, url: str) -> str:
    """How a study stands: its trials by state, its best, and how to look at it.

    Args:
        study: The study.
        url: The storage that it lies in.
    """
    trials = counted(study.get_trials(deepcopy=False))
    states = [trial.state for trial in trials]
    counts = {
        "finished": states.count(TrialState.COMPLETE),
        "pruned": states.count(TrialState.PRUNED),
        "failed": sum(is_done(trial) and trial.state == TrialState.FAIL for trial in trials),
        "still to do": sum(not is_done(trial) for trial in trials),
    }
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    lines = [f"Study {study.study_name}: {said or 'no trial'}"]
    if len(study.directions) > 1:
        lines += [f"  front: {line(trial, {})}" for trial in _front(study)]
    else:
        lines += _best_lines(study, trials)
    report = command_on(study.study_name, url, "python studies/report.py")
    lines.append(f"Report: {report}")
    return "\n".join(lines)


def _front(study: optuna.Study) -> list[FrozenTrial]:
    return sorted(study.best_trials, key=lambda trial: trial.values[0], reverse=True)


def _best_lines(study: optuna.Study, trials: list[FrozenTrial]) -> list[str]:
    best = best_trial(study, trials)
    if best is None:
        return ["  no finished trial keeps the limits"]
    entries = best.user_attrs.get(schema.ENTRIES, {})
    said = " ".join(f"{name}={_short(value)}" for name, value in entries.items())
    return [f"  best: {line(best, {})}", f"  its settings: {said}"]


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace(" ", "")
