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
from hipreg.models.weights import Model, known_models, load_model, models_dir, save_model

__all__ = [
    "CLASSIC_VNET",
    "Architecture",
    "Checkpoint",
    "CheckpointError",
    "InitReport",
    "Model",
    "RegistrationNet",
    "build",
    "initialise_from",
    "known_models",
    "load_checkpoint",
    "load_model",
    "load_net",
    "models_dir",
    "parameter_count",
    "save_checkpoint",
    "save_model",
]
