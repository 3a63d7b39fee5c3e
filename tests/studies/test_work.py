"""Workers train a study's trials, whatever happens to them."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from experiments.errors import PlainError
from experiments.process import is_gone
from experiments.records import COMPLETED, INTERRUPTED, PRUNED, read_records
from studies import schema
from studies.progress import Progress, summary
from studies.storage import load_study, open_storage
from studies.trials import counted, fill
from studies.work import Assignment, work
from studies.workers import Workers, shares
from tests.studies.bowl import PASSWORD, PROGRAM, WORKER, begin_bowl, bowl_plan

CLOSED = {COMPLETED, PRUNED, INTERRUPTED, "DIED"}


def new_study(tmp_path: Path, trials: int, *overrides: str, epochs: int = 4) -> Assignment:
    """A study of the bowl with a filled queue."""
    url = str(tmp_path / "bowl.journal")
    fill(begin_bowl(open_storage(url), bowl_plan(*overrides, epochs=epochs)), trials)
    return Assignment("bowl", url, tmp_path / "runs", seed=0)


def trials_of(task: Assignment) -> list[FrozenTrial]:
    return load_study(open_storage(task.url), task.study).trials


@contextmanager
def started(task: Assignment, count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """Workers of the bowl."""
    monkeypatch.setenv("HIPREG_RUNS", str(task.runs))
    cores = sorted(os.sched_getaffinity(0))
    with Workers("bowl", task.url, shares(count, cores, []), seed=0, command=WORKER) as workers:
        yield workers


def test_trials_and_runs_name_each_other_and_pruning_is_recorded_in_both(tmp_path: Path) -> None:
    task = new_study(tmp_path, 0, "slow_below=-1.0")
    study = load_study(open_storage(task.url), "bowl")
    study.enqueue_trial({"x": 1.0, "y": -1.0})
    study.enqueue_trial({"x": -3.0, "y": 3.0})
    fill(study, 4)
    assert work(task, PROGRAM)
    runs = {record.id: record for record in read_records(task.runs).runs}
    trials = trials_of(task)
    assert len(runs) == len(trials) == 4
    for trial in trials:
        run = runs[int(trial.user_attrs[schema.RUN])]
        assert (run.config["study"], run.config["trial"]) == ("bowl", trial.number)
        assert {name: run.config[name] for name in trial.params} == trial.params
        assert run.status == {"COMPLETE": COMPLETED, "PRUNED": PRUNED}[trial.state.name]
        assert trial.user_attrs[schema.EPOCHS] == max(trial.intermediate_values)
    best, worst = trials[:2]
    assert (best.state, worst.state) == (TrialState.COMPLETE, TrialState.PRUNED)
    assert best.value == pytest.approx(0.9)
    assert best.constraints == {"folding": -0.001, "sdlogj": pytest.approx(-0.05)}
    assert "best: trial 0" in summary(study, task.url)


@pytest.mark.slow
def test_gaussian_process_searches_beside_two_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = new_study(tmp_path, 16)
    study = load_study(open_storage(task.url), "bowl")
    study.set_user_attr(schema.SAMPLER, "gp")
    with started(task, 2, monkeypatch) as workers, Progress(study) as progress:
        assert workers.watch(progress.update, pause=0.1)
    trials = trials_of(task)
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len({tuple(trial.params.values()) for trial in trials}) == 16
    assert study.best_value > 0.8


def test_failed_training_is_a_failed_trial_that_says_why(tmp_path: Path) -> None:
    task = new_study(tmp_path, 4, "fails=True")
    with pytest.raises(PlainError, match=r"all 3 trials failed, .*told to fail"):
        work(task, PROGRAM)
    states = [trial.state for trial in trials_of(task)]
    assert states == [TrialState.FAIL] * 3 + [TrialState.WAITING]
    assert "told to fail" in trials_of(task)[0].user_attrs[schema.FAILED]


def test_training_that_cannot_start_is_a_failed_trial_with_its_last_words(tmp_path: Path) -> None:
    task = new_study(tmp_path, 3, "no_such_entry=1")
    with pytest.raises(PlainError, match="no_such_entry"):
        work(task, PROGRAM)


def test_killed_worker_takes_its_training_along_and_another_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = new_study(tmp_path, 1, "pause=0.5", epochs=8)
    study = load_study(open_storage(task.url), "bowl")
    with started(task, 1, monkeypatch) as workers, Progress(study) as progress:
        wait_for_epoch(study)
        os.kill(workers.pids[0], signal.SIGKILL)
        assert workers.watch(progress.update, pause=0.1)
    first, second = read_records(task.runs).runs
    assert (first.status, second.status) == (INTERRUPTED, COMPLETED)
    assert second.lineage == (first.id, second.id)
    lost, retry = trials_of(task)
    assert (lost.state, retry.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert retry.user_attrs[schema.RETRY_OF] == lost.number
    assert sorted(retry.intermediate_values) == list(range(1, 9))
    steps = second.metrics()["selection/dice"].steps
    assert steps[0] > 1  # gone on with, and not begun again


def test_interrupted_study_leaves_its_trial_in_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = new_study(tmp_path, 1, "pause=0.5", epochs=8)
    study = load_study(open_storage(task.url), "bowl")
    with started(task, 1, monkeypatch):
        wait_for_epoch(study)
    (run,) = read_records(task.runs).runs
    assert run.status == INTERRUPTED
    assert is_gone(run.document["process"])
    assert [trial.state for trial in study.get_trials()] == [TrialState.FAIL, TrialState.WAITING]


def test_postgresql_study_keeps_every_trial_when_a_worker_is_killed(
    tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_workers(tmp_path, postgresql, monkeypatch, trials=4, kills=1)


@pytest.mark.slow
def test_postgresql_study_keeps_every_trial_when_workers_are_killed_five_times(
    tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_workers(tmp_path, postgresql, monkeypatch, trials=20, kills=5)


@pytest.mark.slow
def test_mysql_study_keeps_every_trial_when_a_worker_is_killed(
    tmp_path: Path, mysql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_workers(tmp_path, mysql, monkeypatch, trials=6, kills=2)


class Killer:
    """Kills a worker at random now and then, while a study is watched."""

    def __init__(self, workers: Workers, progress: Progress, kills: int) -> None:
        self.workers, self.progress, self.left = workers, progress, kills
        self.chance = random.Random(0)
        self.next = self.chance.random()

    def __call__(self) -> int:
        """What ``Workers.watch`` asks: how many trials are done."""
        done = self.progress.update()
        if self.left and done and time.monotonic() > self.next:
            os.kill(self.chance.choice(self.workers.pids), signal.SIGKILL)
            self.left -= 1
            self.next = time.monotonic() + 3 * self.chance.random()
        return done


def kill_workers(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, *, trials: int, kills: int
) -> None:
    """Kill workers at random moments of a study; nothing is lost, or counted twice."""
    storage = open_storage(url)
    assert isinstance(storage, RDBStorage)
    if "bowl" in optuna.get_all_study_names(storage):
        optuna.delete_study(study_name="bowl", storage=storage)
    study = begin_bowl(storage, bowl_plan("pause=0.1"))
    fill(study, trials)
    task = Assignment("bowl", url, tmp_path / "runs")
    with started(task, 2, monkeypatch) as workers, Progress(study) as progress:
        killer = Killer(workers, progress, kills)
        assert workers.watch(killer, pause=0.1)
    assert killer.left == 0
    ended = counted(study.get_trials())
    storage.engine.dispose()
    assert len(ended) == trials
    assert {trial.state for trial in ended} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len({tuple(trial.params.values()) for trial in ended}) == trials
    runs = read_records(task.runs).runs
    assert {run.status for run in runs} <= CLOSED
    assert sum(run.status in (COMPLETED, PRUNED) for run in runs) == trials
    assert len({trial.user_attrs[schema.RUN] for trial in ended}) == trials
    for path in task.runs.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def wait_for_epoch(study: optuna.Study) -> None:
    """Wait until the first trial has reported two epochs."""
    wait_for(lambda: len(study.get_trials()[0].intermediate_values) >= 2)


def wait_for(done: Callable[[], bool], seconds: float = 900.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
