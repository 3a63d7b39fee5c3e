"""The queue of a study: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from experiments.process import this_process
from studies.schema import FAILED, PROCESS, RETRY_OF, RUN
from studies.storage import open_storage
from studies.trials import (
    MOST_RETRIES,
    QueuedStudy,
    QueueEmptyError,
    chains,
    counted,
    faster_retry,
    fill,
    is_broken_off,
    is_done,
    revive,
)
from studies.work import Assignment, open_queue
from tests.studies.bowl import begin_bowl, bowl_plan

GONE = {**this_process(), "pid": 2**22 + 1}  # beyond the largest process number
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def queue(tmp_path: Path) -> QueuedStudy:
    storage = open_storage(str(tmp_path / "bowl.journal"))
    begin_bowl(storage, bowl_plan())
    return QueuedStudy("bowl", storage, sampler=optuna.samplers.RandomSampler(seed=0))


def lose(study: QueuedStudy) -> int:
    """Take a trial with a worker that is gone."""
    trial = study.ask()
    trial.suggest_float("x", -3, 3)
    trial.set_user_attr(PROCESS, GONE)
    trial.set_user_attr(RUN, "7")
    return trial.number


def test_queue_gives_as_many_trials_as_were_asked_for(queue: QueuedStudy) -> None:
    assert fill(queue, 3) == 3
    for _ in range(3):
        queue.tell(queue.ask(), 0.5)
    with pytest.raises(QueueEmptyError):
        queue.ask()
    assert len(queue.trials) == 3


def test_filling_again_adds_what_is_missing(queue: QueuedStudy) -> None:
    fill(queue, 2)
    assert fill(queue, 2) == 0
    assert fill(queue, 5) == 3


def test_trial_of_a_dead_worker_is_gone_on_with_first(queue: QueuedStudy, tmp_path: Path) -> None:
    fill(queue, 2)
    lost = lose(queue)
    assert revive(queue, tmp_path) == [lost]
    assert revive(queue, tmp_path) == []
    retry = queue.ask()
    assert retry.user_attrs[RETRY_OF] == lost
    assert retry.user_attrs[RUN] == "7"
    assert retry.suggest_float("x", -3, 3) == queue.trials[lost].params["x"]


def test_trial_of_a_living_worker_is_left_alone(queue: QueuedStudy, tmp_path: Path) -> None:
    fill(queue, 1)
    trial = queue.ask()
    assert revive(queue, tmp_path) == []
    assert queue.trials[trial.number].state == TrialState.RUNNING


def test_chain_of_retries_counts_once(queue: QueuedStudy, tmp_path: Path) -> None:
    fill(queue, 1)
    for _ in range(3):
        lose(queue)
        revive(queue, tmp_path)
    queue.tell(queue.ask(), 0.5)
    assert [trial.state for trial in counted(queue.trials)] == [TrialState.COMPLETE]
    assert [trial.number for trial in chains(queue.trials)[0]] == [0, 1, 2, 3]
    assert fill(queue, 1) == 0


def test_of_two_retries_of_one_trial_the_first_counts(queue: QueuedStudy, tmp_path: Path) -> None:
    fill(queue, 1)
    lost = lose(queue)
    revive(queue, tmp_path)
    # What a second worker does that read the trials before the first one wrote its retry.
    queue.add_trial(
        optuna.trial.create_trial(state=TrialState.WAITING, user_attrs={RETRY_OF: lost})
    )
    first, second = queue.ask(), queue.ask()
    assert faster_retry(queue, first) is None
    assert faster_retry(queue, second) == first.number
    queue.tell(first, 0.5)
    second.set_user_attr(FAILED, "the other one is it")
    queue.tell(second, state=TrialState.FAIL)
    assert [trial.number for trial in counted(queue.trials)] == [first.number]


def test_trial_that_failed_by_itself_is_not_retried(queue: QueuedStudy, tmp_path: Path) -> None:
    fill(queue, 1)
    trial = queue.ask()
    trial.set_user_attr(FAILED, "out of memory")
    queue.tell(trial, state=TrialState.FAIL)
    assert revive(queue, tmp_path) == []
    assert all(map(is_done, counted(queue.trials)))


def test_trial_that_kills_every_worker_is_given_up(queue: QueuedStudy, tmp_path: Path) -> None:
    fill(queue, 1)
    for _ in range(MOST_RETRIES + 1):
        lose(queue)
        revive(queue, tmp_path)
    assert not is_broken_off(queue.trials[-1])
    assert all(map(is_done, counted(queue.trials)))


def test_worker_in_the_place_of_another_draws_other_parameters(tmp_path: Path) -> None:
    url = str(tmp_path / "bowl.journal")
    fill(begin_bowl(open_storage(url), bowl_plan()), 3)
    task = Assignment("bowl", url, tmp_path, seed=0)
    drawn = {open_queue(task).ask().suggest_float("x", -3, 3) for _ in range(3)}
    assert len(drawn) == 3


def test_gaussian_process_leads_a_queue_to_the_optimum(tmp_path: Path) -> None:
    url = str(tmp_path / "bowl.journal")
    begin_bowl(open_storage(url), bowl_plan(), sampler="gp")
    study = open_queue(Assignment("bowl", url, tmp_path, seed=0))
    assert isinstance(study.sampler, optuna.samplers.GPSampler)
    fill(study, 14)
    values = []
    for _ in range(14):
        trial = study.ask()
        x, y = trial.suggest_float("x", -3, 3), trial.suggest_float("y", -3, 3)
        values.append(-((x - 1) ** 2) - (y + 1) ** 2)
        study.tell(trial, values[-1])
    # Ten are drawn at random first.
    assert max(values[10:]) > max(values[:10])
    assert max(values[10:]) > -0.05


SYNTHETIC = """
import sys
import time
from pathlib import Path
from studies.modes import quiet_optuna
from studies.trials import QueueEmptyError
from studies.work import Assignment, open_queue
quiet_optuna()
study = open_queue(Assignment("bowl", sys.argv[1], Path(), int(sys.argv[2]), 0))
Path(sys.argv[3], sys.argv[2]).touch()
while len(list(Path(sys.argv[3]).iterdir())) < 2:
    time.sleep(0.01)
def objective(trial):
    time.sleep(0.05)  # the journal's lock is not fair: who never pauses keeps it
    return -(trial.suggest_float("x", -3, 3) - 1) ** 2
try:
    study.optimize(objective, n_trials=1000)
except QueueEmptyError:
    pass
"""


def test_two_workers_share_a_journal_without_damage_or_repetition(tmp_path: Path) -> None:
    path = str(tmp_path / "bowl.journal")
    study = begin_bowl(open_storage(path), bowl_plan())
    fill(study, 100)
    ready = tmp_path / "ready"
    ready.mkdir()
    command = [sys.executable, "-c", SYNTHETIC, path]
    workers = [
        subprocess.Popen(
            [*command, str(index), str(ready)], cwd=ROOT, env={**os.environ, "PYTHONPATH": "."}
        )
        for index in range(2)
    ]
    assert [worker.wait(300) for worker in workers] == [0, 0]
    trials = optuna.load_study(study_name="bowl", storage=open_storage(path)).trials
    assert [trial.number for trial in trials] == list(range(100))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert len({trial.params["x"] for trial in trials}) == 100
    assert len({trial.user_attrs[PROCESS]["pid"] for trial in trials}) == 2
