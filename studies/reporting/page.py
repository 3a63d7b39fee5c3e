"""The page of a study: what was found, the figures behind it, every trial, how to repeat it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING

from pages.grid import html_grid, listing, paragraphs
from pages.look import Theme
from pages.picture import Picture, figure_element
from pages.shell import card, cards, navigation, page
from studies import schema
from studies.reporting.drawing import (
    bars,
    contours,
    cost,
    front,
    history,
    learning,
    slices,
    timeline,
)
from studies.reporting.importance import importances
from studies.reporting.tables import (
    commands,
    duration,
    failures,
    front_grid,
    seconds,
    study_grid,
    summary,
    trials_grid,
    value,
)
from studies.reporting.view import COMPLETE, OVER, PRUNED, View, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Part:
    """One figure of the report, or why it is not there.

    Attributes:
        name: of its file and anchor.
        title: over it.
        why: why it cannot be drawn; None where it can.
        picture: None where it cannot.
    """

    name: str
    title: str
    why: str | None
    picture: Picture | None


def parts(view: View) -> list[Part]:
    """All figures in the order in which they are told."""
    return [
        _part(view, "history", "History", history, history.history),
        _part(view, "importance", "Importance", bars, bars.bars),
        _part(view, "slices", "Parameters one by one", slices, slices.slices),
        _part(view, "contours", "Parameters in pairs", contours, contours.contours),
        _part(view, "front", "Pareto front", front, front.front),
        _part(view, "learning", "Intermediate values", learning, learning.learning),
        _part(view, "cost", "Dice against cost", cost, cost.cost),
        _part(view, "timeline", "Timeline", timeline, timeline.timeline),
    ]


def html(view: View, found: Sequence[Part], command: str) -> str:
    """The whole page, which loads nothing from anywhere.

    Args:
        view: the study.
        found: its :func:`parts`.
        command: that made it.
    """
    title = f"Study {view.name}"
    places = {part.name: part.title for part in found if part.picture}
    places |= {"trials": "Trials", "repeat": "Repeat", "settings": "Settings"}
    body = [f'<header><h1>{escape(title)}</h1><p class="lead">{escape(_lead(view))}</p>']
    body += [_glance(view), navigation(places), "</header><main>"]
    for part in found:
        body.append(f'<section id="{part.name}"><h2>{escape(part.title)}</h2>')
        if part.picture is None:
            body.append(f'<p class="lead">Not drawn: {escape(part.why or "")}.</p>')
        else:
            body.append(f'<div class="gallery">{figure_element(part.picture)}</div>')
        if part.name == "front" and part.picture and view.best:
            body.append(html_grid(front_grid(view)))
        body.append("</section>")
    body += ['<section id="trials"><h2>Trials</h2>', _trials(view), "</section>"]
    body += ['<section id="repeat"><h2>How to repeat the best</h2>', _repeat(view), "</section>"]
    body += ['<section id="settings"><h2>Settings</h2>', html_grid(study_grid(view))]
    body.append(f"<h3>Made by</h3>{listing([command])}</section></main>")
    return page(title, "\n".join(body))


def _part(
    view: View, name: str, title: str, module: object, draw: Callable[[View, Theme], Figure]
) -> Part:
    why = module.missing(view)  # type: ignore[attr-defined]
    if why is not None:
        return Part(name, title, why, None)
    words = module.caption(view)  # type: ignore[attr-defined]
    return Part(name, title, None, Picture(name, words, partial(draw, view)))


def _lead(view: View) -> str:
    known = {
        "Space": view.about.get(schema.SPACE),
        "mode": view.about.get(schema.MODE),
        "epochs a training": view.about.get(schema.BUDGET_EPOCHS),
        "data": view.about.get(schema.DATA),
    }
    words = ", ".join(f"{key} {found}" for key, found in known.items() if found is not None)
    return f"{words}. {summary(view)}" if words else summary(view)


def _glance(view: View) -> str:
    """The outcome at a glance."""
    found = []
    if view.best:
        first = view.best[0]
        if len(view.ways) == 1:
            best = f"{first.values[0]:.4f}"
            found.append(card(f"Best {view.objectives[0]}", best, label(first)))
        else:
            under = f"of {len(view.complete)}"
            found.append(card("Pareto front", f"{len(view.best)} trials", under))
            for place, name in enumerate(view.objectives):
                top = max(view.best, key=lambda trial, at=place: view.gains(trial)[at])
                found.append(card(f"Best {name}", value(top.values[place]), label(top)))
    knee = cost.knee_of(view)
    if knee is not None and cost.WIDTH in knee.params:
        under = f"{cost.WIDTH.replace('_', ' ')} {knee.params[cost.WIDTH]:g}"
        found.append(card("Knee", label(knee), under))
    try:
        most = importances(view)[0]
        spread = f"{100 * most.share:.0f} % [{100 * most.low:.0f}, {100 * most.high:.0f}]"
        found.append(card("Matters most", most.parameter, spread, name=True))
    except ValueError:
        pass
    counted = view.count(COMPLETE, OVER)
    found.append(card("Complete", str(counted), f"{view.count(PRUNED)} pruned"))
    whole = sum(filter(None, map(seconds, view.trials)))
    found.append(card("Trained", duration(whole), "over all trials"))
    return cards(found)


def _trials(view: View) -> str:
    if not view.trials:
        return '<p class="lead">None yet.</p>'
    words = html_grid(trials_grid(view))
    why = failures(view)
    if why:
        words += f"<h3>Why trials failed</h3>{listing(why)}"
    return words


def _repeat(view: View) -> str:
    if not view.best:
        return f'<p class="lead">{escape(summary(view))}</p>'
    blocks = []
    for trial in view.best:
        told = ", ".join(
            f"{name} {one:.4f}" for name, one in zip(view.objectives, trial.values, strict=True)
        )
        head = f"{label(trial).capitalize()} (trial {trial.number}): {told}"
        blocks.append(f"<h3>{escape(head)}</h3>{listing(commands(view, trial))}")
    if len(view.ways) > 1:
        blocks.insert(0, paragraphs(["Every trial of the Pareto front, by its first objective."]))
    return "".join(blocks)
