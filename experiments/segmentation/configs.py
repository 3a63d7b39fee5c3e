"""Every entry of a segmentation's configuration, and its named configurations.

Run ``python experiments/segment.py print_config`` to see the entries with their values and one
line each on what they mean. The comments below are what it prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sacred import Experiment

from experiments.configs import add_named, choose_dataset
from experiments.folds import fold_words

QUICK: Mapping[str, Any] = {
    "profile": "quick",
    "synthetic_if_none": True,
    "epochs": 25,
    "eval_every": 5,
}

BEST: Mapping[str, Any] = {
    "profile": "best",
    "widths": [48, 96, 160],
    "blocks": [1, 1, 2],
    # The selection cases are too few to tell the last epochs apart, and teach more than they
    # choose (results/records/trials/README.md).
    "merge_selection": True,
    "epochs": 120,
    "eval_every": 120,
}

DEBUG: Mapping[str, Any] = {
    "profile": "debug",
    "max_cases": 8,
    "epochs": 2,
    "widths": [16, 16],
    "blocks": [1, 0],
    "print_every": 1,
    "eval_every": 1,
}


def row_name(config: Mapping[str, Any]) -> str:
    """The name of a run in lists: its profile and the fold that it leaves out."""
    return " ".join(["segment", config["profile"], *fold_words(config)])


def base() -> None:
    profile = "usual"  # the recipe the other entries start from: usual, quick or debug
    # --- data
    synthetic_if_none = False  # use synthetic cases where no MRI is found, instead of stopping
    data_dir = None  # folder of the data; None: the variable HIPREG_DATA, then data/
    dataset = choose_dataset(data_dir, synthetic_if_none)  # a file of hipreg/data/datasets
    crop_size = "tight"  # [D, H, W] seen by the network; None: the whole grid; "tight": all fit
    fold = None  # leave out this part of all training cases, from 0; then no epoch is chosen
    folds = 5  # parts that the training cases are divided into where one is left out
    merge_selection = False  # train on the selection cases too; then no epoch is chosen
    # --- network
    widths = [32, 64, 128]  # channels of each level, finest first; multiples of 16 are fast
    blocks = [1, 1, 1]  # residual blocks of each level, down and up again
    stride = 2  # side of the cubes of voxels that become channels; the network works on them
    # --- loss
    weight_dice = 1.0  # of 1 - soft Dice
    weight_cross_entropy = 1.0  # of the cross entropy with soft labels
    border = 0.0  # share that a label's voxels take from each neighbour, up to 1/3: soft borders
    # --- augmentation
    flips = []  # axes (0, 1, 2) to mirror with probability one half; in evaluation, to average
    affine = True  # rotate, shift, zoom
    every_axis = True  # rotate about all axes and zoom each alone, not one and all
    max_rotation = 15.0  # largest angle in degrees
    max_translation = 3.0  # largest shift in voxels
    max_zoom = 0.15  # largest relative change of size
    max_gamma = 0.3  # largest natural logarithm of the exponent of intensities
    max_brightness = 0.1  # largest relative change of intensities
    max_noise = 0.05  # largest standard deviation of noise
    # --- optimisation
    epochs = 100  # passes over the training cases
    batch_size = 4  # cases a step
    learning_rate = 4e-3  # of AdamW, at its highest
    weight_decay = 0.01  # of AdamW
    schedule = "one_cycle"  # constant, cosine or one_cycle
    average = None  # weight of the past in an average of the weights that is used; None: none
    precision = "bfloat16"  # float32 or bfloat16, of the network
    max_minutes = None  # stop training after the epoch that reaches this; None: never
    # --- running
    seed = 0  # of initial weights, order and augmentation
    device = "auto"  # auto, cpu, cuda or cuda:N
    threads = None  # CPU threads; None: all cores of this process
    eval_every = 5  # epochs between two evaluations
    save_every = 1  # epochs between two writes of last.pt
    print_every = 1  # steps between two updates of the progress bar
    resume_from = None  # a last.pt, or a run's folder, of the same configuration to continue from
    max_cases = None  # train on the first so many cases only (debugging)
    name = row_name(locals())  # of the run in lists


NAMED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "quick": (
        "a good network in minutes on two CPU cores; synthetic cases where there is no MRI",
        QUICK,
    ),
    "best": (
        "what the registration of train.py with best is guided by",
        BEST,
    ),
    "debug": (
        "seconds, to see that everything runs: few cases, two epochs, a tiny network",
        DEBUG,
    ),
    "synthetic": ("synthetic cases instead of MRI; needs no data", {"dataset": "synthetic"}),
}
"""Named configurations: what each is for, and the entries that it changes."""


def add_segmentation_configs(experiment: Experiment) -> None:
    """Give an experiment the base configuration and the named ones."""
    experiment.config(base)
    add_named(experiment, NAMED)
