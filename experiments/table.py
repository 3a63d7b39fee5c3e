"""The figures of an evaluation for the terminal: as a table, or in one line."""

from __future__ import annotations

from collections.abc import Mapping

_ROWS = (
    ("Dice", "dice", "dice30", 1.0),
    ("HD95 (voxels)", "hd95", "hd95_30", 1.0),
    ("SDlogJ", "sdlogj", "sdlogj_30", 1.0),
    ("SDlogJ (2020)", "sdlogj_2020", "sdlogj_2020_30", 1.0),
    ("folded (%)", "folding", None, 100.0),
)

_IN_ONE_LINE = (
    ("Dice", "dice", ".3f", 1.0),
    ("Dice30", "dice30", ".3f", 1.0),
    ("HD95", "hd95", ".2f", 1.0),
    ("loss", "loss", ".4f", 1.0),
    ("SDlogJ", "sdlogj", ".3f", 1.0),
    ("folding (%)", "folding", ".4f", 100.0),
)


def one_line(figures: Mapping[str, float]) -> str:
    """The foremost figures, those that there are.

    Args:
        figures: As :func:`hipreg.evaluation.aggregate` returns them, also with a ``loss``.
    """
    return ", ".join(
        f"{title} {figures[name] * factor:{form}}"
        for title, name, form, factor in _IN_ONE_LINE
        if name in figures
    )


def metrics_table(figures: Mapping[str, float]) -> str:
    """Mean, the challenge's quantile and the mean of each label, one metric a row.

    Args:
        figures: As :func:`hipreg.evaluation.aggregate` returns them.
    """
    labels = sorted(name.split("_")[-1] for name in figures if name.startswith("dice/label_"))
    header = ["", "mean", '"30"', *(f"label {label}" for label in labels)]
    lines = [header]
    for title, mean, quantile, factor in _ROWS:
        row = [title, _shown(figures[mean] * factor)]
        row.append(_shown(figures[quantile] * factor) if quantile else "")
        row += [_shown(figures.get(f"{mean}/label_{label}")) for label in labels]
        lines.append(row)
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
