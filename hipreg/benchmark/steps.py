"""The two training steps that are compared, each as a whole and phase by phase."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch
from torch.optim import Optimizer

from hipreg.benchmark.direct import direct_objective, direct_register
from hipreg.benchmark.direct_augment import direct_batches
from hipreg.benchmark.measure import Mark
from hipreg.benchmark.setting import Setting
from hipreg.data.augment import Augmentation
from hipreg.data.batches import CaseBank
from hipreg.losses import Loss, Objective
from hipreg.models import RegistrationNet, build
from hipreg.training import autocast, training_step
from hipreg.types import Pair

PHASES = ("data", "forward", "losses", "backward", "optimiser")
"""Of the direct step ``forward`` holds the integration of the gradients, ``losses`` the warps.

Of the fast one ``losses`` holds both, and the gradient by what the network predicted, which is
computed along with the value; ``backward`` is the network's alone.
"""

LEARNING_RATE = 1e-4
SEED = 0


class _Step:
    """One training step, as a whole or phase by phase.

    Args:
        setting: What is trained.
        bank: Training cases, on the device to train on.
        objective: What is minimised.
        batches: Instead of augmented batches of the bank.
    """

    def __init__(
        self,
        setting: Setting,
        bank: CaseBank,
        objective: Objective,
        *,
        batches: Iterator[Pair] | None = None,
    ) -> None:
        self.setting, self.objective = setting, objective
        self.batches = self._augmented(bank) if batches is None else batches
        self.device = bank.images.device
        self.net = build(setting.architecture).to(self.device).train()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=LEARNING_RATE)

    def __call__(self) -> Loss:
        return self.split(lambda name: None)

    def split(self, mark: Mark) -> Loss:
        """A step that marks the end of each of ``PHASES``."""
        pair = next(self.batches)
        mark("data")
        loss = self._evaluate(pair, mark)
        mark("losses")
        loss.total.backward()  # type: ignore[no-untyped-call]
        mark("backward")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        mark("optimiser")
        return Loss(loss.total.detach(), loss.terms)

    def _augmented(self, bank: CaseBank) -> Iterator[Pair]:
        """Batches without end."""
        raise NotImplementedError

    def _evaluate(self, pair: Pair, mark: Mark) -> Loss:
        """The loss of a batch; marks the end of ``forward``."""
        raise NotImplementedError


class FastStep(_Step):
    """The step that hipreg trains with."""

    def __call__(self) -> Loss:
        """The same as ``split`` without marks (a test says so), by the function that trains."""
        return training_step(
            self.net,
            next(self.batches),
            self.objective,
            self.optimizer,
            symmetric=self.setting.symmetric,
            precision=self.setting.precision,
        )

    def _augmented(self, bank: CaseBank) -> Iterator[Pair]:
        return _augmented(self.setting, bank)

    def _evaluate(self, pair: Pair, mark: Mark) -> Loss:
        register = self.net.both_directions if self.setting.symmetric else self.net
        with autocast(self.device, self.setting.precision):
            registration = register(pair.moving, pair.fixed)
        mark("forward")
        both = pair.both_directions() if self.setting.symmetric else pair
        return self.objective(registration, both)


class DirectStep(_Step):
    """The published step, done directly (see ``hipreg.benchmark.direct``), always in float32."""

    def __init__(
        self,
        setting: Setting,
        bank: CaseBank,
        objective: Objective,
        *,
        batches: Iterator[Pair] | None = None,
    ) -> None:
        super().__init__(setting, bank, objective, batches=batches)
        contiguous(self.net)

    def _augmented(self, bank: CaseBank) -> Iterator[Pair]:
        return direct_batches(bank, batch=self.setting.batch, size=self.setting.size, seed=SEED)

    def _evaluate(self, pair: Pair, mark: Mark) -> Loss:
        registrations = direct_register(
            self.net, pair.moving, pair.fixed, symmetric=self.setting.symmetric
        )
        mark("forward")
        return direct_objective(self.objective, registrations, pair)


def contiguous(net: RegistrationNet) -> RegistrationNet:
    """The same network with its weights in PyTorch's usual memory layout; changed in place."""
    for parameter in net.parameters():
        parameter.data = parameter.data.contiguous()
    return net


def prepare_optimizer(optimizer: Optimizer) -> None:
    """Make the optimiser allocate its state, which changes no weight: all gradients are 0."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _augmented(setting: Setting, bank: CaseBank) -> Iterator[Pair]:
    """Epochs without end, of full batches only."""
    have = len(bank.cases)
    rows = torch.arange(setting.batch * max(have // setting.batch, 1)) % have
    # One pair a step needs two cases to draw from all the same.
    bank = CaseBank(
        cases=tuple(bank.cases[row] for row in rows.tolist()),
        images=bank.images[rows.to(bank.images.device)],
        labels=bank.labels[rows.to(bank.images.device)],
    )
    for epoch in count():
        yield from bank.batches(
            batch_size=setting.batch,
            size=setting.size,
            augmentation=Augmentation(),
            seed=SEED,
            epoch=epoch,
        )
