"""A cross-validation with its data and its folder: how far it is, and doing the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.cross_validation.measure import PAIRS, Fold, done, measure_fold
from experiments.cross_validation.plan import REGISTER, SEGMENT, Plan, Row, configurations
from experiments.cross_validation.progress import Kind, Progress
from experiments.cross_validation.training import Trainer, epochs_of, kind_of, newest
from experiments.errors import PlainError, said_plainly
from experiments.folds import divided
from experiments.peers.record import differences
from experiments.records import COMPLETED, RunRecord, read_document
from experiments.run_folder import ARTIFACTS, copy_file, write_json
from hipreg.data import Cohort, load_cohort, splits_for
from hipreg.evaluation import DEFINITIONS

PLAN = "plan.json"
GUESSES = {SEGMENT: 25.0, REGISTER: 35.0, PAIRS: 1.0}
"""Seconds of an epoch of `best`, and of a pair, on one core: for the first estimate alone."""


@dataclass(frozen=True)
class Campaign:
    """A cross-validation with its data and its folder.

    Attributes:
        plan: What is done.
        out: Where.
        folds: The left-out cases.
        epochs: Of each kind of training, as ``kind_of`` names it.
    """

    plan: Plan
    out: Path
    folds: Sequence[Fold]
    epochs: Mapping[str, int]

    @property
    def runs(self) -> Path:
        """The folder of all runs."""
        return self.out / "runs"

    def found(self) -> dict[str, RunRecord | None]:
        """The newest run of each training by the training's name."""
        stages = [stage for fold in self.folds for stage in self.plan.stages(fold.number)]
        return {stage.name: newest(stage, self.runs) for stage in stages}

    def kinds(self) -> dict[str, Kind]:
        """All work by kind, with what is done of it."""
        kinds: dict[str, Kind] = {}
        found = self.found()
        for fold in self.folds:
            for stage in self.plan.stages(fold.number):
                kind = kinds.setdefault(kind_of(stage), Kind(0, GUESSES[stage.kind]))
                kind.total += self.epochs[kind_of(stage)]
                kind.done += min(epochs_of(found[stage.name]), self.epochs[kind_of(stage)])
        rows = self.plan.rows()
        kinds[PAIRS] = Kind(
            total=sum(len(fold.pairs) for fold in self.folds) * len(rows),
            guess=GUESSES[PAIRS],
            done=sum(len(done(fold, row)) for fold in self.folds for row in rows),
        )
        return kinds

    @property
    def settings(self) -> dict[str, Any]:
        """What its results hang on."""
        cohort = self.folds[0].cohort
        data = {"dataset": cohort.description.name, "fingerprint": cohort.fingerprint}
        return {**self.plan.document(), "data": data, "metric_definitions": DEFINITIONS}

    def settle(self, *, write: bool) -> None:
        """Refuse other settings than those of earlier calls; further trainings are welcome.

        Args:
            write: Whether to put them down for later ones.

        Raises:
            PlainError: They differ; names in what.
        """
        merged = agreed(self.out / PLAN, self.settings)
        if write:
            write_json(self.out / PLAN, merged)

    def go(self, about: Mapping[str, Any]) -> None:
        """Do what is not done.

        Raises:
            PlainError: Something failed.
            StoppedError: This process was asked to end.
        """
        with Progress(self.kinds()) as bar:
            trainer = Trainer(self.runs, bar)
            for fold in self.folds:
                guides: dict[str, RunRecord] = {}
                networks: dict[str, RunRecord] = {}
                for stage in self.plan.stages(fold.number):
                    record = trainer.train(stage, guides)
                    if stage.kind == SEGMENT:
                        guides[stage.name] = record
                        keep_cases(record, self.out / "cases" / fold.folder.name, stage.row)
                    else:
                        networks[stage.row] = record
                measure_fold(fold, self.plan.rows(), networks, bar, about)

    def told(self) -> str:
        """The plan in words, and how far it is."""
        found, kinds = self.found(), self.kinds()
        cases = sum(len(fold.cases) for fold in self.folds)
        lines = [f"{self.plan.folds} folds of {cases} training cases, in {self.out}", "Trainings:"]
        for fold in self.folds:
            for stage in self.plan.stages(fold.number):
                record, epochs = found[stage.name], self.epochs[kind_of(stage)]
                lines.append(f"  {stage.name}, {epochs} epochs: {standing(record)}")
        lines.append(f"Measured on {sum(len(fold.pairs) for fold in self.folds)} pairs each:")
        rows = self.plan.rows()
        for row in rows:
            ready = sum(len(done(fold, row)) for fold in self.folds)
            lines.append(f"  {row.name} ({in_words(row, rows[0])}): {ready} done")
        trainings = sum(kind.total - kind.done for name, kind in kinds.items() if name != PAIRS)
        left = kinds[PAIRS].total - kinds[PAIRS].done
        lines.append(f"To do: {trainings} epochs, {left} registrations")
        return "\n".join(lines)


def standing(record: RunRecord | None) -> str:
    """How far a training is, in words."""
    if record is None:
        return "to do"
    if record.status == COMPLETED:
        return f"done, run {record.id}"
    return f"run {record.id} goes on after epoch {epochs_of(record)}"


def in_words(row: Row, reference: Row) -> str:
    """What a row changes of the reference."""
    if row is reference:
        return "the reference"
    if row.register is None:
        return "no registration"
    usual = reference.variant.values()
    changes = [
        f"{name} {value} for {usual[name]}"
        for name, value in row.variant.values().items()
        if value != usual[name]
    ]
    return ", ".join(changes) or "networks of its own"


def campaign_of(plan: Plan, out: Path) -> Campaign:
    """A plan with its data.

    Raises:
        PlainError: Data or entries are wrong, or trainings would leave out different cases.
    """
    configs = configurations(plan)
    first = next(iter(configs.values()))
    folder = Path(first["data_dir"]) if first["data_dir"] else None
    with said_plainly():
        cohort = load_cohort(first["dataset"], data_dir=folder)
        folds = []
        for number in range(plan.folds):
            words = f"fold {number} of {plan.folds}"
            cases = cases_apart(configs, cohort, number)
            folds.append(Fold(number, words, cases, cohort, out / "pairs" / f"fold_{number}"))
            _ = folds[-1].pairs
    epochs = {kind_of(stage): configs[stage.name]["epochs"] for stage in plan.stages(0)}
    return Campaign(plan, out, folds, epochs)


def cases_apart(
    configs: Mapping[str, Mapping[str, Any]], cohort: Cohort, fold: int
) -> Sequence[int]:
    """The cases that all trainings of a fold leave out.

    Raises:
        ValueError: They would leave out different ones, or there is no such fold.
    """
    splits = splits_for(cohort.description)
    apart = {
        name: (config["dataset"], divided(splits, {**config, "fold": fold})[1])
        for name, config in configs.items()
    }
    (first, wanted), *others = apart.items()
    for name, found in others:
        if found != wanted:
            raise ValueError(
                f"{name} would leave out other cases than {first}: dataset and max_cases must be "
                "the same for all trainings; give them after `with`"
            )
    return wanted[1]


def agreed(path: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of earlier calls and of this one.

    Args:
        path: Holds those of earlier calls; there may be none.
        asked: Those of this call.

    Raises:
        PlainError: What both name is not the same.
    """
    merged = dict(asked)
    if not path.exists():
        return merged
    try:
        there = read_document(path)
    except ValueError as error:
        raise PlainError(f"{path.parent}: {error}; give another --out") from error
    for kind in (SEGMENT, REGISTER):
        before = there.get(kind)
        if isinstance(before, dict):
            merged[kind] = {**before, **asked[kind]}
            there[kind] = {**asked[kind], **before}
    different = [
        text
        for key in sorted({*there, *merged})
        for text in differences(key, there.get(key), merged.get(key))
    ]
    if different:
        raise PlainError(
            f"{path}: begun with other settings: {'; '.join(different)}. Say the same, or choose "
            "another --out"
        )
    return merged


def keep_cases(record: RunRecord, folder: Path, row: str) -> None:
    """Keep what a segmentation makes of its fold with the other metrics."""
    copy_file(record.folder / ARTIFACTS / "cases_fold.csv", folder / f"{row}.csv")
