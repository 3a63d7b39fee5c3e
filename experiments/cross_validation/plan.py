"""What a cross-validation consists of: folds, trainings, and what is measured with each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from experiments.configuration import resolve
from experiments.cross_validation.variants import Variant, variants
from experiments.errors import PlainError
from experiments.words import assignments

SEGMENT, REGISTER = "segment", "register"
PROGRAMS = {SEGMENT: "segment", REGISTER: "train"}
"""The program that does each kind of training."""

OURS = ("fold", "folds", "name", "segmenter", "resume_from", "init_from", "merge_train_val")
"""Entries that are not the user's to set: they say which cases a network has seen."""

ONCE = ("eval_every=1000000", "instance_steps=0")
"""Nothing chooses an epoch, so that a network is measured at its end alone, and as it is."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The words of both trainings.

    Attributes:
        segment: Of ``experiments/segment.py``.
        register: Of ``experiments/train.py``.
    """

    segment: tuple[str, ...]
    register: tuple[str, ...]

    def of(self, kind: str) -> tuple[str, ...]:
        """The words of one kind, with what a cross-validation changes of it."""
        return (*self.segment, *ONCE[:1]) if kind == SEGMENT else (*self.register, *ONCE)


_LIKE_BEST = (
    "precision=bfloat16",
    "antisymmetric=False",
    "weight_lcc=0.0",
    "weight_diffusion=0.5",
)
_TINY = ("velocity_channels=[8,8]", "velocity_encoder=[1,1]", "velocity_decoder=[1,1]")
RECIPES: Mapping[str, Recipe] = {
    "best": Recipe(("best",), ("best",)),
    "quick": Recipe(
        ("quick", "epochs=12"), ("guided", "synthetic_if_none=True", *_LIKE_BEST, "epochs=4")
    ),
    "debug": Recipe(("debug",), ("guided", "debug", *_TINY)),
}
"""What can be cross-validated, by the first word after ``with``."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One training.

    Attributes:
        kind: ``SEGMENT`` or ``REGISTER``.
        row: Which of that kind.
        fold: That is left out.
        name: Of its runs.
        words: Its configuration, without the segmentation that guides a registration.
        guide: The name of that one; None for a segmentation.
    """

    kind: str
    row: str
    fold: int
    name: str
    words: tuple[str, ...]
    guide: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: a pair of trained networks and what is done at test time.

    Attributes:
        name: In the table.
        register: The row of the registration that is used; None for no registration at all.
        variant: How it is used.
    """

    name: str
    register: str | None
    variant: Variant

    @property
    def file(self) -> str:
        """Its name among files."""
        return self.name.replace(" ", "_")


@dataclass(frozen=True)
class Plan:
    """A cross-validation as it was asked for.

    The reference is the recipe; every other row changes one thing of it: the segmentation, the
    registration, or what is done at test time.

    Attributes:
        recipe: Its name.
        folds: How many.
        words: Entries of all trainings.
        segments: Entries of further segmentations by name.
        registers: Entries of further registrations by name.
    """

    recipe: str
    folds: int
    words: tuple[str, ...] = ()
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    registers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def pairings(self) -> Mapping[str, tuple[str, str]]:
        """The names of segmentation and registration of each row that has networks of its own."""
        own = self.recipe
        return (
            {own: (own, own)}
            | {f"{SEGMENT} {name}": (name, own) for name in self.segments}
            | {f"{REGISTER} {name}": (own, name) for name in self.registers}
        )

    def stages(self, fold: int) -> Iterator[Stage]:
        """The trainings that leave out one fold, in order."""
        for name, entries in {self.recipe: (), **self.segments}.items():
            yield self._stage(SEGMENT, name, fold, entries)
        for row, (segment, register) in self.pairings.items():
            entries = self.registers.get(register, ())
            yield self._stage(
                REGISTER, row, fold, entries, guide=self._name(SEGMENT, segment, fold)
            )

    def rows(self) -> list[Row]:
        """All rows of the table, the reference first."""
        own = [Row(row, row, Variant()) for row in self.pairings]
        tested = [Row(name, self.recipe, variant) for name, variant in variants().items()]
        return [own[0], *tested, *own[1:], Row("unregistered", None, Variant())]

    def _stage(
        self, kind: str, row: str, fold: int, entries: tuple[str, ...], guide: str | None = None
    ) -> Stage:
        name = self._name(kind, row, fold)
        ours = assignments({"fold": fold, "folds": self.folds, "name": name})
        words = (*RECIPES[self.recipe].of(kind), *self.words, *entries, *ours)
        return Stage(kind, row, fold, name, words, guide)

    def _name(self, kind: str, row: str, fold: int) -> str:
        return f"{kind} {row.removeprefix(f'{kind} ')}, fold {fold} of {self.folds}"

    def document(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "recipe": self.recipe,
            "folds": self.folds,
            "words": list(self.words),
            "segment": {name: list(words) for name, words in self.segments.items()},
            "register": {name: list(words) for name, words in self.registers.items()},
            "variants": {"reference": Variant().told()}
            | {name: variant.told() for name, variant in variants().items()},
        }


def plan_of(
    words: Sequence[str], folds: int, segments: Sequence[str], registers: Sequence[str]
) -> Plan:
    """The plan of a command line.

    Args:
        words: What stands after ``with``: a recipe, then entries of all trainings.
        folds: How many.
        segments: Further segmentations, ``NAME=ENTRIES`` each.
        registers: Further registrations, likewise.

    Raises:
        PlainError: A word is not understood.
    """
    recipe, *entries = words or [""]
    if recipe not in RECIPES:
        raise PlainError(
            f"after `with` comes a recipe, {' or '.join(RECIPES)}, then entries of its trainings; "
            f"got {recipe or 'nothing'}"
        )
    if folds < 2:
        raise PlainError(f"--folds is at least 2, got {folds}")
    return Plan(
        recipe,
        folds,
        _entries(entries, "with"),
        _named(segments, f"--{SEGMENT}", recipe),
        _named(registers, f"--{REGISTER}", recipe),
    )


def configurations(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """The configuration of each training of a fold, by the stage's name.

    Raises:
        PlainError: An entry is unknown, or registrations are not guided.
    """
    found = {}
    for stage in plan.stages(0):
        program = PROGRAMS[stage.kind]
        try:
            config = resolve(stage.words, program).config
        except PlainError as error:
            raise PlainError(
                f"{stage.name}: {error}. Entries of one kind of training go into --{SEGMENT} or "
                f'--{REGISTER} NAME="ENTRIES", as in --segment wide="widths=[64,128,192]"'
            ) from error
        if stage.kind == REGISTER and config["model"] != "velocity":
            raise PlainError(f"{stage.name}: its model is {config['model']}, and must be velocity")
        found[stage.name] = config
    return found


def _named(options: Sequence[str], option: str, recipe: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in options:
        name, sign, entries = text.partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise PlainError(
                f'{option} takes NAME="ENTRIES", the name of letters, digits, "_", "." and "-"; '
                f"got {text!r}"
            )
        if name in found or name == recipe:
            raise PlainError(f"{option} {text}: there is a {name!r} already; choose another name")
        found[name] = _entries(shlex.split(entries), option)
        if not found[name]:
            raise PlainError(f"{option} {text}: it changes nothing of {recipe}")
    return found


def _entries(words: Sequence[str], where: str) -> tuple[str, ...]:
    for word in words:
        key, _, _ = word.partition("=")
        if key in OURS:
            raise PlainError(
                f"{where} {word}: {key} is set by the cross-validation itself, so that no network "
                "is measured on cases that it has seen"
            )
    return tuple(words)
