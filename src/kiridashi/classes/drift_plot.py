"""What `detect` saw over time, as one SVG picture."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

import numpy as np

from kiridashi.classes.monitoring import ClassDrift, Drift

WIDTH, PANEL, GAP = 900, 190, 46
LEFT, RIGHT, TOP = 52, 190, 44
# More lines cannot be told apart; those that moved come first.
MOST_LINES = 8
# A running mean over this many values, so that a line shows where things go and not each picture.
RUN = 20
# Told apart also by those who see no red or no green (Okabe and Ito's colours, yellow left out).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#20242b", "#7a7f87")
INK, SOFT, LINE = "#20242b", "#646b76", "#d9dce1"
FONT = 'font-family="system-ui, sans-serif"'

Series = Sequence[tuple[datetime, float]]


def draw(drift: Drift) -> str:
    """Two panels over one time axis: scores by class, and the share of unknown things.

    Lines are running means; a short stroke at the left of each is its mean then.
    """
    shown = sorted((one for one in drift.classes if one.scores), key=_moved, reverse=True)[:MOST_LINES]
    times = [time for one in shown for time, _ in one.scores] + [time for time, _ in drift.rates]
    height = TOP + 2 * PANEL + 2 * GAP
    frame = f'width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {frame} role="img">',
        "<title>scores and unknown things over time</title>",
        f'<rect {frame} fill="#fff"/>',
    ]
    if not times:
        parts += [_text(LEFT, TOP, "nothing was recorded since the last change", INK, 15), "</svg>"]
        return "\n".join(parts) + "\n"
    first, last = min(times), max(times)
    parts += _panel(TOP, "score of the instances", first, last)
    for place, (one, colour) in enumerate(zip(shown, COLOURS, strict=False)):
        parts += _line(one.scores, one.score.then, TOP, first, last, colour)
        note = " (worse)" if one.worse else ""
        parts.append(_text(WIDTH - RIGHT + 14, TOP + 12 + 20 * place, one.name[:22] + note, colour, 13))
    lower = TOP + PANEL + GAP
    parts += _panel(lower, "share of things in a picture that no class took", first, last)
    parts += _line(drift.rates, drift.unknown.then, lower, first, last, INK)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _moved(one: ClassDrift) -> tuple[bool, float, int]:
    then, now = one.score.then or 0.0, one.score.now or 0.0
    return one.worse, abs(then - now), one.count


def _panel(top: int, title: str, first: datetime, last: datetime) -> list[str]:
    right, bottom = WIDTH - RIGHT, top + PANEL
    parts = [_text(LEFT, top - 12, title, INK, 14)]
    for value in (0.0, 0.5, 1.0):
        y = _y(value, top)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{LINE}" fill="none"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{value:g}", SOFT, 12, "end"))
    parts.append(_text(LEFT, bottom + 18, _time(first), SOFT, 12))
    if last > first:
        parts.append(_text(right, bottom + 18, _time(last), SOFT, 12, "end"))
    return parts


def _line(
    series: Series, then: float | None, top: int, first: datetime, last: datetime, colour: str
) -> list[str]:
    if not series:
        return []
    values = np.array([value for _, value in series])
    size = min(RUN, len(values))
    means = np.convolve(values, np.ones(size) / size, mode="valid")
    times = [time for time, _ in series][size - 1 :]
    points = " ".join(
        f"{_x(time, first, last):.1f},{_y(float(mean), top):.1f}"
        for time, mean in zip(times, means, strict=True)
    )
    end = points.rsplit(" ", 1)[-1].split(",")
    parts = [
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{end[0]}" cy="{end[1]}" r="3" fill="{colour}"/>',
    ]
    if then is not None:
        parts.append(f'<path d="M{LEFT - 5} {_y(then, top):.1f}h10" stroke="{colour}" stroke-width="3"/>')
    return parts


def _x(time: datetime, first: datetime, last: datetime) -> float:
    span = (last - first).total_seconds()
    share = (time - first).total_seconds() / span if span else 0.0
    return LEFT + share * (WIDTH - RIGHT - LEFT)


def _y(value: float, top: int) -> float:
    return top + PANEL * (1 - min(max(value, 0.0), 1.0))


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _text(x: float, y: float, text: str, colour: str, size: int, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" {FONT}>'
        f"{escape(text)}</text>"
    )
