"""Every entry of a training's configuration, and the named configurations.

Run ``python experiments/train.py print_config`` to see the entries with their values and one line
each on what they mean. The comments below are what it prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sacred import Experiment

from experiments.families import NAMED_FAMILIES, PROFILES, families
from experiments.folds import fold_words
from experiments.pretrained import PRETRAINED
from hipreg.data import DataNotFoundError, describe, find_data

PENALTIES = ("l1", "l2", "diffusion", "parameter_diffusion", "bending")
"""Terms of the objective that keep the deformation small or smooth."""

PUBLISHED_CHANNELS = [4, 8, 16, 32, 64, 128, 256]

QUICK: Mapping[str, Any] = {
    "profile": "quick",
    "synthetic_if_none": True,
    "crop_size": "tight",
    "input_stride": 2,
    "pool_blocks": 3,
    "channel_multiplication": 4,
    "deep_supervision": False,
    "symmetric": True,
    "flips": False,
    "quarter_turns": False,
    "max_rotation": 10.0,
    "max_translation": 3.0,
    "max_zoom": 0.1,
    "weight_dice": 5.0,
    "weight_diffusion": 2.0,
    "batch_size": 4,
    "learning_rate": 2e-3,
    "schedule": "one_cycle",
    "epochs": 26,
    "eval_every": 2,
    "save_every": 1,
    "max_minutes": 8.0,
}

DEBUG: Mapping[str, Any] = {
    "profile": "debug",
    "max_cases": 8,
    "epochs": 2,
    "batch_size": 4,
    "channel_multiplication": 0.5,
    "crop_size": "tight",
    "print_every": 1,
}


def choose_dataset(data_dir: str | None, synthetic_if_none: bool) -> str:
    """Hippocampus MRI, or the synthetic pairs where that is allowed and no MRI is found."""
    if synthetic_if_none:
        try:
            find_data(describe("hippocampus"), Path(data_dir) if data_dir else None)
        except DataNotFoundError:
            return "synthetic"
    return "hippocampus"


def row_name(profile: str, config: Mapping[str, Any]) -> str:
    """The name of a run's row in tables: its profile and the switches that differ from it."""
    short = profile in ("quick", *PROFILES)
    usual = {"symmetric": short, "deep_supervision": not short}
    switches = {
        "velocity": config["model"] == "velocity" and profile not in PROFILES,
        "instance": config["instance_steps"] > 0 and profile != "best",
        "directional": not config["antisymmetric"] and profile != "best",
        "guided": config["segmenter"] is not None and profile not in ("guided", "best"),
        "sym": config["symmetric"] and not usual["symmetric"],
        "no_sym": usual["symmetric"] and not config["symmetric"],
        "pretrain": config["init_from"] is not None,
        "merge": config["merge_train_val"],
        "no_lcc": config["weight_lcc"] == 0 and profile != "best",
        "mse": config["weight_mse"] > 0,
        "no_dice": config["weight_dice"] == 0,
        "no_regularisation": not any(config[f"weight_{term}"] for term in PENALTIES),
        "l2": config["weight_l2"] > 0,
        "deep_supervision": config["deep_supervision"] and not usual["deep_supervision"],
        "no_deep_supervision": usual["deep_supervision"] and not config["deep_supervision"],
        "no_augmentation": not any(config[key] for key in ("flips", "quarter_turns", "affine")),
    }
    words = [word for word, on in switches.items() if on] + fold_words(config)
    if profile != "published":
        words.insert(0, profile)
    return " ".join(words) or "baseline"


def base() -> None:
    profile = "published"  # the recipe the other entries start from: published, quick or debug
    # --- data
    synthetic_if_none = False  # use synthetic pairs where no MRI is found, instead of stopping
    data_dir = None  # folder of the data; None: the variable HIPREG_DATA, then data/
    dataset = choose_dataset(data_dir, synthetic_if_none)  # a file of hipreg/data/datasets
    fold = None  # leave out this part of all training cases, from 0; then no epoch is chosen
    folds = 5  # parts that the training cases are divided into where one is left out
    merge_selection = False  # train on the selection cases too; then no epoch is chosen
    merge_train_val = False  # train on the validation cases too (for the test set)
    crop_size = None  # [D, H, W] seen in training; None: the whole grid; "tight": all scans fit
    val_crop_size = None  # the same for evaluation; None: as crop_size
    # --- network
    model = "vnet"  # vnet (the published one, whose entries follow) or velocity (see the end)
    antisymmetric = True  # velocity: exchanging images changes its sign, and nothing else
    segmenter = None  # velocity: a run or weights whose predicted labels the network is shown
    channels = PUBLISHED_CHANNELS  # channels of each level before multiplication
    channel_multiplication = 8  # factor on all channels; may be a fraction
    pool_blocks = 4  # number of poolings
    classic_vnet = True  # 1, 2, 3, 2 convolutions a level; False: one each
    convolutions = None  # convolutions a level, finest first; None: by classic_vnet
    norm = "instance"  # instance, batch or none
    activation = "leaky_relu"  # leaky_relu, relu, prelu, tanh or none
    last_activation = "sigmoid"  # sigmoid, tanh or linear, from head to spatial gradient
    zero_init = True  # start at the identity
    freeze_last_layer = False  # do not train the finest head
    deep_supervision = True  # predict and compare at every level
    input_stride = 1  # let the network work on images pooled by this factor
    init_from = None  # weights to start from: a .pt file, or "pretrained" for the newest that fit
    # --- objective
    weight_lcc = 1.0  # of 1 - squared local cross correlation
    lcc_window = 9  # side of its window in voxels, odd
    weight_mse = 0.0  # of the mean squared difference
    weight_dice = 1.0  # of 1 - soft Dice of the warped label
    weight_l1 = 0.1  # of the mean absolute deviation of the gradients from the identity's
    weight_l2 = 0.0  # of their mean squared deviation
    weight_diffusion = 0.0  # of the mean squared derivative of the displacement
    weight_parameter_diffusion = 0.0  # of the same of the gradients, or of the velocity
    weight_bending = 0.0  # of the mean squared second derivatives of the same
    symmetric = False  # register and compare both directions in every step
    # --- augmentation, one draw for both images of a pair
    flips = True  # mirror each axis with probability one half
    quarter_turns = True  # rotate by multiples of 90 degrees between axes of equal size
    affine = True  # rotate about one axis, shift, zoom isotropically
    max_rotation = 20.0  # largest angle in degrees
    max_translation = 10.0  # largest shift in voxels
    max_zoom = 0.2  # largest relative change of size
    random_crop = False  # draw the position of the crop too
    # --- optimisation
    epochs = 600  # passes over the training cases
    batch_size = 8  # pairs a step, over all processes
    learning_rate = 1e-4  # of Adam, at its highest
    schedule = "constant"  # constant, cosine or one_cycle
    precision = "float32"  # float32 or bfloat16, of the network
    compile = False  # torch.compile the network; a minute at the start, worth it on GPUs
    max_minutes = None  # stop training after the epoch that reaches this; None: never
    instance_steps = 0  # instance optimisation in the last evaluation: so many steps at most
    # --- running
    seed = 0  # of initial weights, pairs and augmentation
    device = "auto"  # auto, cpu, cuda or cuda:N
    threads = None  # CPU threads; None: all cores of this process
    eval_every = 1  # epochs between two evaluations
    save_every = 20  # epochs between two writes of last.pt
    print_every = 1  # steps between two updates of the progress bar
    resume_from = None  # a last.pt, or a run's folder, of the same configuration to continue from
    max_cases = None  # train on the first so many cases only (debugging)
    study = None  # the study that the run is a trial of, see studies/search.py
    trial = None  # its number in that study
    name = row_name(profile, locals())  # row of the run in tables


NAMED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "sym": (
        'the published "+ symmetric": both directions in every step',
        {"symmetric": True},
    ),
    "pretrain": (
        'the published "+ pretrain": start from the newest pretrained weights that fit',
        {"init_from": PRETRAINED},
    ),
    "merge": (
        "the published submission: train on training and validation cases",
        {"merge_train_val": True},
    ),
    "synthetic": (
        "synthetic pairs instead of MRI; needs no data",
        {"dataset": "synthetic"},
    ),
    "quick": (
        "a good network in minutes on two CPU cores; synthetic pairs where there is no MRI",
        QUICK,
    ),
    "debug": (
        "seconds, to see that everything runs: few cases, two epochs, a tiny network",
        DEBUG,
    ),
    "tight": (
        "crop to the smallest size that holds every scan",
        {"crop_size": "tight"},
    ),
    "mse": (
        "mean squared difference instead of local cross correlation",
        {"weight_mse": 1.0, "weight_lcc": 0.0},
    ),
    "no_lcc": ("no local cross correlation", {"weight_lcc": 0.0}),
    "no_dice": ("unsupervised: no labels in the objective", {"weight_dice": 0.0}),
    "no_regularisation": (
        "no penalty on the deformation",
        {f"weight_{term}": 0.0 for term in PENALTIES},
    ),
    "l2": (
        "squared instead of absolute deviation as the penalty",
        {"weight_l1": 0.0, "weight_l2": 0.1},
    ),
    "no_deep_supervision": (
        "compare at the finest level alone",
        {"deep_supervision": False},
    ),
    "no_augmentation": (
        "train on the cases as they are",
        {"flips": False, "quarter_turns": False, "affine": False},
    ),
} | NAMED_FAMILIES
"""Named configurations: what each is for, and the entries that it changes."""


def add_configs(
    experiment: Experiment, named: Mapping[str, tuple[str, Mapping[str, Any]]] = NAMED
) -> None:
    """Give an experiment the base configuration and named ones."""
    experiment.config(base)
    experiment.config(families)
    add_named(experiment, named)


def add_named(experiment: Experiment, named: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Give an experiment named configurations: what each is for, and what it changes."""
    for name, (purpose, entries) in named.items():
        experiment.add_named_config(name, dict(entries))
        experiment.named_configs[name].__doc__ = purpose
