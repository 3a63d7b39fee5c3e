"""Registration networks, how to build them, and their weights on disk."""

from hipreg.models.build import CLASSIC_VNET, Architecture, build, parameter_count
from hipreg.models.checkpoint import (
    Checkpoint,
    CheckpointError,
    InitReport,
    initialise_from,
    load_checkpoint,
    load_net,
    network_of,
    save_checkpoint,
)
from hipreg.models.described import Described
from hipreg.models.guided_net import GuidedArchitecture, GuidedNet, Segmenter
from hipreg.models.kinds import KINDS, Kind, build_net, kind_of
from hipreg.models.pair_net import FlowNet, Guidance, PairNet
from hipreg.models.registration_net import RegistrationNet
from hipreg.models.segmentation import SegmentationArchitecture, SegmentationNet
from hipreg.models.velocity_net import VelocityArchitecture, VelocityNet, build_velocity_net
from hipreg.models.weights import Model, known_models, load_model, models_dir, save_model

__all__ = [
    "CLASSIC_VNET",
    "KINDS",
    "Architecture",
    "Checkpoint",
    "CheckpointError",
    "Described",
    "FlowNet",
    "Guidance",
    "GuidedArchitecture",
    "GuidedNet",
    "InitReport",
    "Kind",
    "Model",
    "PairNet",
    "RegistrationNet",
    "SegmentationArchitecture",
    "SegmentationNet",
    "Segmenter",
    "VelocityArchitecture",
    "VelocityNet",
    "build",
    "build_net",
    "build_velocity_net",
    "initialise_from",
    "kind_of",
    "known_models",
    "load_checkpoint",
    "load_model",
    "load_net",
    "models_dir",
    "network_of",
    "parameter_count",
    "save_checkpoint",
    "save_model",
]
