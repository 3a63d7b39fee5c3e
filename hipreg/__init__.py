"""hipreg: deformable registration of hippocampus MRI in plain PyTorch."""

from hipreg.types import Pair, Registration

__all__ = ["Pair", "Registration", "__version__"]

__version__ = "0.1.0"
