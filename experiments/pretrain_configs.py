"""The entries that a pretraining has beside those of a training, and its named configurations.

Network, optimiser and augmentation are described by the entries of ``experiments.configs``, so
that the words that name a training (``quick``, ``sym`` ...) name the pretraining that it can start
from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sacred import Experiment

from experiments.configs import NAMED, add_configs

SYNTH, SELF = "synth", "self"
BRAINS = ("oasis3", "oasis1", "folder")
SOURCES = (*BRAINS, SYNTH, SELF)

SOURCE_CONFIGS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "oasis3": (
        "the published pretraining: OASIS-3 as FreeSurfer leaves it, in data_dir",
        {"source": "oasis3"},
    ),
    "oasis1": (
        "the openly downloadable neurite-OASIS, in data_dir",
        {"source": "oasis1"},
    ),
    "folder": (
        "all brain images of the folder data_dir, one a subject",
        {"source": "folder"},
    ),
    "synth": (
        "endless random shapes; needs no data at all",
        {"source": SYNTH},
    ),
    "self": (
        "the training images without their labels",
        {"source": SELF},
    ),
}
"""Named configurations of where the images come from."""

ELSEWHERE = ("merge", "no_dice")
"""Named configurations of trainings that mean nothing here."""

BY_SOURCE = ("weight_dice",)
"""Entries that the source decides unless the command line does, and not a profile."""


def pretraining_name(source: str | None, profile: str) -> str:
    """The name of a pretraining in tables."""
    return " ".join(["pretrain", *([] if profile == "published" else [profile]), source or "?"])


def pretraining(profile: str) -> None:
    source = None  # where images come from: oasis3, oasis1, folder, synth or self
    # --- brains (oasis3, oasis1, folder)
    places = "hippocampi"  # crops around both hippocampi; or so many places inside the brain
    pattern = None  # file names to take of a folder, as in "*T1w*"; None: every image
    held_out = 0.1  # share of the subjects that the best epoch is chosen on
    subjects = None  # CSV file (columns subject, split: train or val) instead of that share
    split_seed = 0  # of which subjects are held out, and of random places
    # --- synth
    pairs_per_epoch = 200  # pairs of an epoch
    same_contrast = 1.0  # probability that both images of a pair are equally bright by tissue
    shape_deformation = 0.8  # size of the smooth deformations, at most 1
    # --- objective
    weight_dice = 5.0 if source == "synth" else 0.0  # of the shapes' labels; others have none
    # --- naming
    name = pretraining_name(source, profile)  # row of the run in tables


def add_pretraining_configs(experiment: Experiment) -> None:
    """Give an experiment the entries of a training and of a pretraining, and the named ones."""
    named = {
        name: (purpose, {key: value for key, value in entries.items() if key not in BY_SOURCE})
        for name, (purpose, entries) in NAMED.items()
        if name not in ELSEWHERE
    }
    add_configs(experiment, {**named, **SOURCE_CONFIGS})
    experiment.config(pretraining)
