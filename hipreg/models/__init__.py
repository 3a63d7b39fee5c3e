"""Registration networks, how to build them, and their weights on disk."""

from hipreg.models.build import CLASSIC_VNET, Architecture, build, parameter_count
from hipreg.models.checkpoint import (
    Checkpoint,
    CheckpointError,
    InitReport,
    initialise_from,
    load_checkpoint,
    load_net,
    save_checkpoint,
)
from hipreg.models.registration_net import RegistrationNet

__all__ = [
    "CLASSIC_VNET",
    "Architecture",
    "Checkpoint",
    "CheckpointError",
    "InitReport",
    "RegistrationNet",
    "build",
    "initialise_from",
    "load_checkpoint",
    "load_net",
    "parameter_count",
    "save_checkpoint",
]
