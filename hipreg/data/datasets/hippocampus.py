"""Hippocampus MRI: Decathlon Task04, and the same cases as Learn2Reg 2020 Task 4 and v2.

Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 2022 (CC BY-SA 4.0).
One numbering inside hipreg: that of the Decathlon, 1 to 394. Training cases are those with labels
up to 310, validation cases those above; the test cases' labels were never published.
"""

from hipreg.data.description import DatasetDescription, Layout, LayoutPart, PercentileWindow
from hipreg.data.pairs import reversed_pairs

# fmt: off
TEST = (
    2, 5, 9, 10, 12, 13, 16, 18, 21, 22, 27, 28, 29, 30, 43, 47, 54, 55, 59, 61, 62, 63,
    66, 69, 71, 72, 73, 76, 78, 79, 80, 81, 82, 100, 103, 110, 111, 112, 113, 115, 116,
    117, 118, 119, 120, 121, 122, 128, 129, 131, 134, 137, 139, 140, 147, 151, 153, 159,
    167, 168, 179, 182, 183, 186, 187, 191, 192, 196, 198, 200, 201, 202, 206, 208, 209,
    211, 213, 214, 218, 237, 239, 240, 241, 246, 247, 254, 255, 256, 258, 262, 266, 267,
    270, 271, 272, 273, 275, 278, 281, 283, 284, 285, 291, 293, 306, 307, 312, 313, 315,
    323, 324, 339, 342, 344, 346, 347, 348, 357, 362, 364, 365, 369, 371, 377, 379, 382,
    384, 388, 391, 392,
)
# fmt: on
"""Cases that the Decathlon and Learn2Reg give without labels."""

UNUSED = (31, 32, 85, 86)
"""Numbers of the Decathlon that Learn2Reg left out."""

LABELLED = tuple(case for case in range(1, 395) if case not in {*TEST, *UNUSED})
TRAIN = tuple(case for case in LABELLED if case <= 310)
VAL = tuple(case for case in LABELLED if case > 310)

DECATHLON = Layout(
    name="decathlon",
    folder="Task04_Hippocampus",
    parts=(
        LayoutPart(("imagesTr",), "labelsTr", "hippocampus_{number:03d}"),
        LayoutPart(("imagesTs",), None, "hippocampus_{number:03d}"),
    ),
)
LEARN2REG_2020 = Layout(
    name="learn2reg2020",
    folder="L2R_Task4_HippocampusMRI",
    parts=(
        LayoutPart(
            ("Training/img", "Training/img_pad"), "Training/label", "hippocampus_{number:03d}"
        ),
        LayoutPart(("Testing/img", "Testing/img_pad"), None, "hippocampus_{number:03d}"),
    ),
    padded=True,
)
LEARN2REG_V2 = Layout(
    name="learn2reg_v2",
    folder="HippocampusMR",
    parts=(
        LayoutPart(("imagesTr",), "labelsTr", "HippocampusMR_{number:04d}_0000"),
        LayoutPart(("imagesTs",), None, "HippocampusMR_{number:04d}_0000"),
    ),
    numbering=(*TRAIN, *VAL, *TEST),
    padded=True,
    index="HippocampusMR_dataset.json",
)

DESCRIPTION = DatasetDescription(
    name="hippocampus",
    title="Hippocampus MRI (Learn2Reg 2020 Task 4)",
    labels={1: "anterior", 2: "posterior"},
    size=(64, 64, 64),
    spacing=1.0,
    intensity=PercentileWindow(lower=1.0, upper=99.0),
    pair_rule=reversed_pairs,
    layouts=(DECATHLON, LEARN2REG_2020, LEARN2REG_V2),
    download=(
        "Download Task04_Hippocampus.tar (27 MB, CC BY-SA 4.0) from "
        "http://medicaldecathlon.com and unpack it; the Learn2Reg releases "
        "(https://learn2reg.grand-challenge.org/Datasets/, Task 4 of 2020 or HippocampusMR) "
        "serve as well."
    ),
)
