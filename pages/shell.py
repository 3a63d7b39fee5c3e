"""The one look of all pages: light and dark, for a phone, a screen and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_CSS = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0;
  --paper: #ffffff; --tint: #f6f8fa; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b3; --line: #343b44;
  --paper: #0f1318; --tint: #181e25; --accent: #6cb2ff; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 72rem;
  color: var(--ink); background: var(--paper);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p, li { max-width: 46rem; } .lead { color: var(--soft); margin-top: 0; }
a { color: var(--accent); } nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  font-size: .92rem; }
th, td { padding: .45rem .65rem; text-align: right; white-space: nowrap; vertical-align: top; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
thead th { font-weight: 600; border-bottom: 1px solid var(--line); background: var(--tint); }
thead th:first-child { background: var(--tint); }
tbody th { font-weight: 500; } tbody tr + tr > * { border-top: 1px solid var(--line); }
td small { display: block; color: var(--soft); font-size: .8rem; }
table.worded :is(th, td):last-child { white-space: normal; text-align: left; min-width: 20rem;
  overflow-wrap: anywhere; }
u { text-underline-offset: .2em; }
pre { overflow-x: auto; padding: 1rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--tint); font: .8rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", monospace; }
.gallery { display: grid; grid-auto-flow: dense; gap: 2rem 3rem; align-items: end;
  margin-top: 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; min-width: 0; } figure.wide { grid-column: 1 / -1; }
figure .pan { overflow-x: auto; } figure img { max-width: 100%; height: auto; display: block;
  margin: 0 auto; } figure.wide img { min-width: 40rem; }
figcaption { color: var(--soft); font-size: .92rem; margin-top: .6rem; max-width: 46rem; }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 500; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0; }
.card.name { grid-column: span 2; } .card.name b { font-size: 1.2rem; margin-top: .2rem; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem;
  background: var(--tint); } .card b { display: block; font-size: 1.5rem; line-height: 1.25; }
.card span { color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) { th, td { padding: .4rem .55rem; }
  tbody th { white-space: normal; min-width: 8.5rem; } body { padding-top: 1.25rem; } }
@page { margin: 15mm; }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb;
    --paper: #fff; --tint: #fff; --accent: #000; }
  body { max-width: none; padding: 0; font-size: 9.5pt; } nav { display: none; }
  .scroll { overflow: visible; border: 0; } table { font-size: 7.5pt; }
  th, td { padding: .25rem .35rem; } th:first-child { position: static; }
  td small { font-size: .9em; }
  .cards { grid-template-columns: repeat(auto-fit, minmax(6rem, 1fr)); }
  .gallery { grid-template-columns: 1fr 1fr; gap: 1.5rem; }
  details.printed::details-content { content-visibility: visible; display: block; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; } h2 { break-after: avoid; }
  figure.wide img { min-width: 0; } figure, tr, .card, pre { break-inside: avoid; } }
""".strip()


def page(title: str, body: str) -> str:
    """A whole page that loads nothing from anywhere."""
    return (
        '<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_CSS}\n</style>\n</head>\n<body>\n"
        f"{body}\n</body>\n</html>\n"
    )


def navigation(places: Mapping[str, str]) -> str:
    """Links to the parts of a page: words by the anchor that they lead to."""
    links = "".join(f'<a href="#{anchor}">{escape(name)}</a>' for anchor, name in places.items())
    return f"<nav>{links}</nav>"


def card(title: str, value: str, under: str = "", *, name: bool = False) -> str:
    """A figure at a glance, with what it is above it; ``name`` where it is a name."""
    small = f"<span>{escape(under)}</span>" if under else ""
    kind = "card name" if name else "card"
    return f'<div class="{kind}"><span>{escape(title)}</span><b>{escape(value)}</b>{small}</div>'


def cards(found: Sequence[str]) -> str:
    """Cards beside each other."""
    return f'<div class="cards">{"".join(found)}</div>'
