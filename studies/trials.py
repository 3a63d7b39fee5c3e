"""The trials of a study: its queue, those that were lost with their worker, and how many count.

The queue are the trials in state WAITING. Storages hand each to one worker alone, so that any
number of workers share a queue without a lock, and none of them makes a trial too many.

A trial that is broken off becomes FAIL, and another one, that names it in ``RETRY_OF``, goes on
with it. Both steps can be done by any worker, and again where one was killed between the two:
should two workers ask for the same retry, the one of the lower number is it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import fail_stale_trials
from optuna.trial import FrozenTrial, TrialState, create_trial

from experiments.process import is_gone, this_process
from experiments.records import SILENCE, last_sign_of_life, read_record
from studies.schema import FAILED, PROCESS, RETRY_OF, RUN, RUN_FOLDER, WARM

MOST_RETRIES = 5
"""How often a trial is taken up again before it counts as failed."""

UNNAMED = timedelta(seconds=60)
"""A worker names itself at once; a running trial without a name for so long has lost its own."""

_KEPT = (RUN, RUN_FOLDER, WARM)
_FAILED_TRIAL, _HISTORY = (
    "failed_trial",
    "retry_history",
)  # what Optuna's own retries are marked by


class QueueEmptyError(Exception):
    """No trial waits."""


class QueuedStudy(optuna.Study):
    """A study whose trials are those of its queue, and no others."""

    def _pop_waiting_trial_id(self) -> int | None:
        """Take a trial: one that was begun before all others.

        Raises:
            QueueEmptyError: None waits.
        """
        waiting = self.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        for trial in sorted(waiting, key=lambda trial: RETRY_OF not in trial.user_attrs):
            try:
                if self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                    me = this_process()
                    self._storage.set_trial_user_attr(trial._trial_id, PROCESS, me)
                    return trial._trial_id
            except UpdateFinishedTrialError:
                continue
        raise QueueEmptyError


def original(trial: FrozenTrial, by_number: Mapping[int, FrozenTrial]) -> int:
    """Number of the trial that a chain of retries began with."""
    number = trial.number
    while (before := by_number[number].user_attrs.get(RETRY_OF)) is not None:
        number = before
    return number


def earlier_numbers(study: optuna.Study, number: int) -> set[int]:
    """Numbers of a trial and of those that it goes on with."""
    trials, numbers = study.get_trials(deepcopy=False), {number}
    while (before := trials[number].user_attrs.get(RETRY_OF)) is not None:
        numbers.add(number := before)
    return numbers


def chains(trials: Iterable[FrozenTrial]) -> dict[int, list[FrozenTrial]]:
    """All trials by the number of the one that each began as; the last of a chain is what counts.

    A retry that another one was faster than is in none.
    """
    by_number = {trial.number: trial for trial in trials}
    result: dict[int, list[FrozenTrial]] = {}
    taken: set[int] = set()
    for trial in by_number.values():
        before = trial.user_attrs.get(RETRY_OF)
        if before in taken:
            continue
        if before is not None:
            taken.add(before)
        result.setdefault(original(trial, by_number), []).append(trial)
    return result


def counted(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """One trial for each that was asked for: the one that went on with it last."""
    return [chain[-1] for chain in chains(trials).values()]


def is_broken_off(trial: FrozenTrial) -> bool:
    """Whether a trial ended with its worker, and not by itself."""
    tired = len(trial.system_attrs.get(_HISTORY, [])) >= MOST_RETRIES
    return trial.state == TrialState.FAIL and FAILED not in trial.user_attrs and not tired


def is_done(trial: FrozenTrial) -> bool:
    """Whether nobody needs to go on with a trial."""
    return trial.state.is_finished() and not is_broken_off(trial)


def fill(study: optuna.Study, trials: int) -> int:
    """Ask for so many trials that the study has ``trials``; returns how many are new."""
    new = max(0, trials - len(counted(study.get_trials(deepcopy=False))))
    for _ in range(new):
        study.enqueue_trial({})
    return new


def faster_retry(study: optuna.Study, trial: FrozenTrial | optuna.Trial) -> int | None:
    """The retry of the same trial that counts instead of this one; None where this one counts."""
    before = trial.user_attrs.get(RETRY_OF)
    if before is None:
        return None
    others = study.get_trials(deepcopy=False)
    first = next(other.number for other in others if other.user_attrs.get(RETRY_OF) == before)
    return None if first == trial.number else first


def revive(study: optuna.Study, runs: Path) -> list[int]:
    """Find the trials that were lost with their worker, and ask for each to be gone on with.

    Args:
        study: The study.
        runs: The folder of all runs.

    Returns:
        Their numbers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        fail_stale_trials(study)  # where the storage has heartbeats
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if is_lost(trial, runs):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    trials = study.get_trials(deepcopy=False)
    retried = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    lost = [trial for trial in trials if is_broken_off(trial) and trial.number not in retried]
    for trial in lost:
        _retry(study, trial)
    return [trial.number for trial in lost]


def is_lost(trial: FrozenTrial, runs: Path) -> bool:
    """Whether the worker of a running trial is gone.

    A worker of another machine cannot be seen: its run is asked for a sign of life.
    """
    process = trial.user_attrs.get(PROCESS)
    if process is None:
        return trial.datetime_start is not None and _age(trial.datetime_start) > UNNAMED
    gone = is_gone(process)
    if gone is not None:
        return gone
    heard = None
    with suppress(OSError, ValueError):
        heard = last_sign_of_life(read_record(runs / trial.user_attrs.get(RUN_FOLDER, "")))
    if heard is not None:
        return datetime.now(UTC) - heard > SILENCE
    return trial.datetime_start is not None and _age(trial.datetime_start) > SILENCE


def _age(start: datetime) -> timedelta:
    return datetime.now() - start  # Optuna's times are local


def _retry(study: optuna.Study, trial: FrozenTrial) -> None:
    history: Sequence[int] = trial.system_attrs.get(_HISTORY, [])
    kept = {name: value for name, value in trial.user_attrs.items() if name in _KEPT}
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={**kept, RETRY_OF: trial.number},
            system_attrs={
                "fixed_params": trial.system_attrs.get("fixed_params", {}) | trial.params,
                _FAILED_TRIAL: history[0] if history else trial.number,
                _HISTORY: [*history, trial.number],
            },
        )
    )
