"""A handful of small generated crops, made in a blink: for tests and demonstrations."""

from dataclasses import replace

from hipreg.data.datasets.synthetic import DESCRIPTION as SYNTHETIC
from hipreg.data.description import SyntheticSource

DESCRIPTION = replace(
    SYNTHETIC,
    name="synthetic_small",
    title="Small synthetic hippocampus-like MR",
    size=(32, 32, 32),
    synthetic=SyntheticSource(train=12, selection=4, val=6, seed=0),
)
