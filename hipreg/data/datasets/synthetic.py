"""Generated hippocampus-like MR crops: free to publish, endless, true displacement known."""

from hipreg.data.description import DatasetDescription, PercentileWindow, SyntheticSource

DESCRIPTION = DatasetDescription(
    name="synthetic",
    title="Synthetic hippocampus-like MR",
    labels={1: "anterior", 2: "posterior"},
    size=(64, 64, 64),
    spacing=1.0,
    intensity=PercentileWindow(),
    synthetic=SyntheticSource(train=96, selection=12, val=12, seed=0),
)
