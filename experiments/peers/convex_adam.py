"""ConvexAdam: a discrete search on MIND features, then gradient descent on the same features.

Siebert et al., IEEE TMI 2024. The unsupervised form: no labels of any kind.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from experiments.peers.peer import Field, Peer, Settings, Volume, library


def register(moving: Volume, fixed: Volume, settings: Settings) -> Field:
    """Its displacement is ours already: pull-back, in voxels, in the order of the axes."""
    program: Any = library("convexAdam.convex_adam_MIND")
    torch = program.torch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of grid_sample's and meshgrid's defaults
        found = program.convex_adam_pt(
            img_fixed=np.array(fixed),
            img_moving=np.array(moving),
            dtype=torch.float32,
            device=torch.device("cpu"),
            **settings,
        )
    return np.ascontiguousarray(np.moveaxis(found, -1, 0), dtype=np.float32)


# Chosen like all peers' settings: the highest mean Dice on 6 selection pairs (tight crop) among a
# handful of settings with SDlogJ of at most 0.12; of equals (0.001) the smoothest. Here Dice was
# 0.760 with lambda_weight 1.25 and with grid_sp 4, 0.745 with mind_d 1, 0.766 with this.
PEER = Peer(
    name="convexadam",
    title="ConvexAdam",
    adapter=register,
    settings={
        "mind_r": 1,
        "mind_d": 2,
        "lambda_weight": 0.75,
        "grid_sp": 6,
        "disp_hw": 4,
        "grid_sp_adam": 2,
        "selected_niter": 80,
        "selected_smooth": 0,
        "ic": True,
    },
    module="convexAdam",
    packages=("convexAdam", "torch"),
)
