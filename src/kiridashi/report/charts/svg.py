"""The few marks that charts are made of."""

import math
from collections.abc import Iterable, Sequence
from html import escape

INK, SOFT, LINE, GROUND = "#20242b", "#5a616c", "#d9dce1", "#f2f3f5"
GOOD, BAD, NEUTRAL = "#1f6f54", "#9c3d2e", "#2b4c7e"
# Told apart by readers with any colour vision (Okabe and Ito), and by dashes in a black and white print.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5a616c", "#000000")
DASHES = ("", "6 3", "2 3", "9 3 2 3", "4 2", "1 4", "8 2", "3 6")
WIDTH, SIZE = 860, 13


def picture(height: float, title: str, marks: Iterable[str], width: float = WIDTH) -> str:
    """A chart of marks; the title is read out to those who cannot see it."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}" '
        f'class="chart" font-family="inherit" font-size="{SIZE}">'
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", *marks, "</svg>"])


def text(
    x: float,
    y: float,
    words: str,
    colour: str = INK,
    anchor: str = "start",
    size: int = SIZE,
    bold: bool = False,
) -> str:
    """Words at a place; `anchor` is start, middle or end."""
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place}{weight}>{escape(words)}</text>"


def line(
    x0: float, y0: float, x1: float, y1: float, colour: str = LINE, width: float = 1, dash: str = ""
) -> str:
    """A straight line."""
    ends = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width:g}"{_dashed(dash)}/>'


def bar(x: float, y: float, width: float, height: float, colour: str, tip: str = "") -> str:
    """A filled rectangle, with a text that appears under the pointer."""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}"'
    inner = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<rect {place} fill="{colour}">{inner}</rect>'


def dot(x: float, y: float, colour: str, radius: float = 4) -> str:
    """A filled circle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}"/>'


def path(points: Sequence[tuple[float, float]], colour: str, width: float = 2, dash: str = "") -> str:
    """A line through points."""
    look = f'fill="none" stroke="{colour}" stroke-width="{width:g}"{_dashed(dash)}'
    return f'<path d="{_through(points)}" {look}/>'


def area(points: Sequence[tuple[float, float]], colour: str, opacity: float = 0.12) -> str:
    """A filled region."""
    return f'<path d="{_through(points)}Z" fill="{colour}" fill-opacity="{opacity:g}"/>'


def text_width(words: str, size: int = SIZE) -> float:
    """Pixels that words take, roughly and rather too many: the reader's font is not known."""
    return size * sum(1.02 if ord(letter) > 0x2E7F else 0.62 for letter in words)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values from low to high, some `about` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _through(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""
