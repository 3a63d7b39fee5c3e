"""Registration of given pairs with trained networks: two scans in, everything about them out."""

from hipreg.prediction.field import WorldMap
from hipreg.prediction.network import predict
from hipreg.prediction.options import Refinement
from hipreg.prediction.registered import RegisteredPair

__all__ = ["Refinement", "RegisteredPair", "WorldMap", "predict"]
