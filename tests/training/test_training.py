"""The loop, its hooks, and resuming."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hipreg.data.augment import Augmentation
from hipreg.data.batches import CaseBank
from hipreg.losses import Loss, Objective
from hipreg.models import build, load_checkpoint, load_net
from hipreg.training import (
    BY_LOSS,
    SELECTION_METRIC,
    DivergenceError,
    Evaluate,
    Hook,
    Recipe,
    SaveCheckpoints,
    StopOnDivergence,
    TimeLimit,
    TrainingState,
    autocast,
    train,
)
from hipreg.types import Pair
from tests.helpers import SMALL, TINY, box_label, small_pair, smooth_images

RECIPE = Recipe(epochs=4, learning_rate=1e-2)
STEPS = 2


def bank() -> CaseBank:
    labels = torch.cat([box_label(shift=shift) for shift in (0, 1, 2, 3)])
    return CaseBank(cases=(1, 2, 3, 4), images=smooth_images(4), labels=labels)


def fresh(seed: int = 0) -> TrainingState:
    net = build(TINY, seed=seed)
    return TrainingState(net, torch.optim.Adam(net.parameters()))


def run(
    state: TrainingState, recipe: Recipe = RECIPE, *, seed: int = 0, hooks: Iterable[Hook] = ()
) -> TrainingState:
    cases = bank()

    def batches(epoch: int) -> Iterable[Pair]:
        return cases.batches(
            batch_size=2,
            size=SMALL,
            augmentation=Augmentation(max_translation=1),
            seed=seed,
            epoch=epoch,
        )

    train(state, Objective(lcc_window=5), batches, recipe, steps_per_epoch=STEPS, hooks=[*hooks])
    return state


def same_weights(first: TrainingState, second: TrainingState) -> bool:
    pairs = zip(first.net.parameters(), second.net.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Keep(Hook):
    """Keeps every log."""

    def __init__(self) -> None:
        self.logs: list[dict[str, float]] = []
        self.steps: list[tuple[int, int]] = []

    def on_step(self, state: TrainingState, loss: Loss, done: int, total: int) -> None:
        self.steps.append((done, total))

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        self.logs.append(dict(log))


def test_same_seed_same_weights_and_another_seed_others() -> None:
    assert same_weights(run(fresh()), run(fresh()))
    assert not same_weights(run(fresh()), run(fresh(), seed=1))
    assert not same_weights(run(fresh()), run(fresh(seed=1)))


@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_interrupted_and_resumed_equals_uninterrupted_bit_for_bit(
    tmp_path: Path, schedule: str
) -> None:
    recipe = replace(RECIPE, schedule=schedule)
    whole = run(fresh(), recipe)

    class StopAfterTwo(Hook):
        def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
            state.stop = state.epoch == 2

    saving = SaveCheckpoints(tmp_path, TINY, metadata={}, every=1, epochs=recipe.epochs)
    run(fresh(), recipe, hooks=[StopAfterTwo(), saving])
    checkpoint = load_checkpoint(tmp_path / "last.pt")
    resumed = fresh(seed=99)
    resumed.net.load_state_dict(checkpoint.weights)
    resumed.load_state_dict(dict(checkpoint.training))
    assert resumed.epoch == 2
    keep = Keep()
    run(resumed, recipe, hooks=[keep])
    assert len(keep.logs) == 2
    assert same_weights(whole, resumed)


class BreakError(Exception):
    """Ends a training from within a hook."""


@pytest.mark.parametrize("steps", range(1, RECIPE.epochs * STEPS + 1))
def test_training_broken_off_after_any_step_goes_on_from_there_bit_for_bit(
    tmp_path: Path, steps: int
) -> None:
    class BreakAfter(Hook):
        done = 0

        def on_step(self, state: TrainingState, loss: Loss, done: int, total: int) -> None:
            self.done += 1
            if self.done == steps:
                raise BreakError

    expected, before, after = Keep(), Keep(), Keep()
    whole, state = run(fresh(), hooks=[expected]), fresh()
    with pytest.raises(BreakError):
        run(state, hooks=[before, BreakAfter()])
    saving = SaveCheckpoints(tmp_path, TINY, metadata={}, every=1, epochs=RECIPE.epochs)
    saving.save("last.pt", state)
    checkpoint, resumed = load_checkpoint(tmp_path / "last.pt"), fresh(seed=99)
    resumed.net.load_state_dict(checkpoint.weights)
    resumed.load_state_dict(dict(checkpoint.training))
    run(resumed, hooks=[after])
    assert same_weights(whole, resumed)
    losses = [[log["train/loss"] for log in keep.logs] for keep in (before, after, expected)]
    assert losses[0] + losses[1] == losses[2]
    assert before.steps + after.steps == expected.steps


def test_epoch_whose_end_is_broken_off_ends_again() -> None:
    class BreakOnce(Hook):
        broken = False

        def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
            if state.epoch == 2 and not self.broken:
                self.broken = True
                raise BreakError

    expected, keep, state, breaking = Keep(), Keep(), fresh(), BreakOnce()
    whole = run(fresh(), hooks=[expected])
    with pytest.raises(BreakError):
        run(state, hooks=[breaking, keep])
    assert state.epoch == 1
    run(state, hooks=[breaking, keep])
    assert same_weights(whole, state)
    assert keep.steps == expected.steps
    assert len(keep.logs) == RECIPE.epochs


def test_full_disk_costs_a_checkpoint_and_only_the_last_is_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left")

    class Free(Hook):
        def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
            if state.epoch == 3:
                monkeypatch.undo()

    saving = SaveCheckpoints(tmp_path, TINY, metadata={}, every=2, epochs=RECIPE.epochs)
    state = fresh()
    saving.save("last.pt", state)
    monkeypatch.setattr("hipreg.training.hooks.save_checkpoint", refuse)
    run(state, replace(RECIPE, epochs=3), hooks=[Free(), saving])
    # That of epoch 2 was made up for after epoch 3, for which none was due.
    assert load_checkpoint(tmp_path / "last.pt").metadata["epoch"] == 3
    assert "the next epoch tries again" in caplog.text
    monkeypatch.setattr("hipreg.training.hooks.save_checkpoint", refuse)
    with pytest.raises(OSError, match="no space left"):
        run(state, hooks=[saving])
    # Nor is there anything to go on with before the first.
    (tmp_path / "last.pt").unlink()
    with pytest.raises(OSError, match="no space left"):
        run(fresh(), replace(RECIPE, epochs=2), hooks=[saving])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("image_term", ["lcc", "mse"])
def test_loss_falls_and_stays_finite(precision: str, symmetric: bool, image_term: str) -> None:
    state = fresh()
    objective = Objective({image_term: 1.0, "dice": 1.0, "l1": 0.1}, lcc_window=5)
    recipe = Recipe(epochs=40, learning_rate=1e-2, symmetric=symmetric, precision=precision)
    keep = Keep()
    pair = small_pair()
    train(state, objective, lambda epoch: [pair], recipe, steps_per_epoch=1, hooks=[keep])
    losses = [log["train/loss"] for log in keep.logs]
    assert all(math.isfinite(value) for log in keep.logs for value in log.values())
    assert losses[-1] < 0.9 * losses[0]


def test_log_holds_every_term_the_rate_and_the_speed() -> None:
    keep = Keep()
    run(fresh(), hooks=[keep])
    assert len(keep.logs) == RECIPE.epochs
    log = keep.logs[0]
    assert set(log) == {
        "train/loss",
        "train/loss/lcc",
        "train/loss/dice",
        "train/loss/l1",
        "learning_rate",
        "pairs_per_second",
        "data_share",
        "epoch_seconds",
    }
    assert log["learning_rate"] == RECIPE.learning_rate
    assert 0 < log["data_share"] < 1
    assert keep.steps[:3] == [(1, STEPS), (2, STEPS), (1, STEPS)]


def test_logged_loss_is_the_mean_over_the_epochs_pairs() -> None:
    pairs = [small_pair(batch=2), small_pair(batch=1, seed=3)]
    objective = Objective(lcc_window=5)
    net = build(TINY)
    values = [float(objective(net(p.moving, p.fixed), p).total.detach()) for p in pairs]
    keep = Keep()
    state = TrainingState(net, torch.optim.SGD(net.parameters(), lr=0.0))
    train(
        state,
        objective,
        lambda epoch: pairs,
        Recipe(epochs=1, learning_rate=0.0),
        steps_per_epoch=2,
        hooks=[keep],
    )
    expected = (2 * values[0] + values[1]) / 3
    assert keep.logs[0]["train/loss"] == pytest.approx(expected, rel=1e-5)


class Score(Hook):
    """Log given values of a metric, one an epoch."""

    def __init__(self, metric: str, values: list[float]) -> None:
        self.metric, self.values = metric, iter(values)

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        log[self.metric] = next(self.values)


def test_best_checkpoint_by_loss_is_that_of_the_lowest_and_never_nan(tmp_path: Path) -> None:
    saving = SaveCheckpoints(
        tmp_path, TINY, metadata={}, every=100, epochs=RECIPE.epochs, criterion=BY_LOSS
    )
    state = run(fresh(), hooks=[Score(BY_LOSS.metric, [math.nan, 0.6, 0.5, 0.7]), saving])
    best = load_checkpoint(tmp_path / "best.pt")
    assert (best.metadata["epoch"], state.best) == (3, 0.5)


def test_best_checkpoint_is_that_of_the_highest_selection_dice(tmp_path: Path) -> None:
    saving = SaveCheckpoints(tmp_path, TINY, metadata={"run": 1}, every=100, epochs=RECIPE.epochs)
    state = run(fresh(), hooks=[Score(SELECTION_METRIC, [0.5, 0.7, 0.6, 0.65]), saving])
    best, last = load_checkpoint(tmp_path / "best.pt"), load_checkpoint(tmp_path / "last.pt")
    assert (best.metadata["epoch"], best.metadata[SELECTION_METRIC]) == (2, 0.7)
    assert last.metadata["epoch"] == RECIPE.epochs
    assert last.training["best"] == state.best == 0.7
    assert last.metadata["run"] == 1
    load_net(tmp_path / "best.pt")


def test_evaluation_runs_every_n_epochs_and_at_the_end_in_evaluation_mode() -> None:
    state, seen = fresh(), []

    def evaluate() -> dict[str, float]:
        seen.append((state.epoch, state.net.training))
        return {"val/dice": 0.5}

    keep = Keep()
    run(
        state,
        replace(RECIPE, epochs=5),
        hooks=[Evaluate(evaluate, every=2, epochs=5), keep],
    )
    assert seen == [(2, False), (4, False), (5, False)]
    assert ["val/dice" in log for log in keep.logs] == [False, True, False, True, True]


def test_divergence_is_an_error_before_anything_is_saved(tmp_path: Path) -> None:
    state = fresh()
    torch.nn.init.constant_(state.net.decoder.head.bias, math.nan)
    saving = SaveCheckpoints(tmp_path, TINY, metadata={}, every=1, epochs=4)
    with pytest.raises(DivergenceError, match="learning rate"):
        run(state, hooks=[StopOnDivergence(), saving])
    assert list(tmp_path.iterdir()) == []


def test_time_limit_ends_after_a_whole_epoch() -> None:
    limit = TimeLimit(minutes=1e-6)
    state = run(fresh(), hooks=[limit])
    assert state.epoch == 1
    assert limit.reached
    assert run(fresh(), hooks=[TimeLimit(None)]).epoch == RECIPE.epochs


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="precision"), autocast(torch.device("cpu"), "float8"):
        pass
