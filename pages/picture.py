"""A figure in a page, in the colours of either theme."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hipreg.evaluation.figures.canvas import save_figure
from pages.look import COLUMN, DARK, LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PIXELS_AN_INCH = 125


class Draw(Protocol):
    """Draws one figure in a theme's colours; None where there is nothing to draw."""

    def __call__(self, theme: Theme) -> Figure | None: ...


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        name: of its files.
        caption: what it shows.
        draw: makes it.
    """

    name: str
    caption: str
    draw: Draw


def figure_element(picture: Picture) -> str:
    """A figure in the colours of either theme, which the reader's browser chooses from."""
    sources = []
    with tempfile.TemporaryDirectory() as scratch:
        for theme in (LIGHT, DARK):
            drawn = picture.draw(theme)
            if drawn is None:
                return ""
            # Scans are pictures of many pixels, which a vector file only makes larger.
            kind = "png" if picture.name.startswith("pairs_") else "svg"
            path = Path(scratch) / f"{theme.name}.{kind}"
            save_figure(drawn, path)
            mime = "image/svg+xml" if kind == "svg" else "image/png"
            data = base64.b64encode(path.read_bytes()).decode()
            sources.append(f"data:{mime};base64,{data}")
            if kind == "png":
                break
    inches = drawn.get_figwidth()
    width = round(inches * _PIXELS_AN_INCH)
    image = f'<img src="{sources[0]}" alt="{escape(picture.caption)}" width="{width}">'
    dark = (
        f'<source srcset="{sources[1]}" media="(prefers-color-scheme: dark)">'
        if len(sources) > 1
        else ""
    )
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>"
    name = ' class="wide"' if inches > COLUMN else ""
    pan = f'<div class="pan" tabindex="0"><picture>{dark}{image}</picture></div>'
    return f"<figure{name}>{pan}{caption}</figure>"
