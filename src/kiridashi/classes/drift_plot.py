"""What `detect` saw over time, as one SVG picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import numpy as np
from numpy.typing import NDArray

from kiridashi.classes.monitoring import ClassDrift, Drift, Shift

WIDTH, PANEL, GAP = 900, 150, 72
LEFT, RIGHT, TOP, FOOT = 52, 200, 44, 64
PANELS = 3
# More lines cannot be told apart; those that moved come first.
MOST_LINES = 8
# A running mean over this many values, so that a line shows where things go and not each picture.
RUN = 20
# A year of pictures makes no larger file than a week of them.
MOST_POINTS = 300
# Told apart also by those who see no red or no green (Okabe and Ito's colours, yellow left out).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#20242b", "#7a7f87")
INK, SOFT, LINE = "#20242b", "#646b76", "#d9dce1"
FONT = 'font-family="system-ui, sans-serif"'
KEY = (
    f"Dots: single values. Line: mean of the last {RUN}. Dashes: mean of the first ones after the last "
    "change, to compare with."
)

Series = Sequence[tuple[datetime, float]]
Values = NDArray[np.float64]


def draw(drift: Drift) -> str:
    """Three panels over one time axis: scores and distances by class, and the share of unknown things.

    Dots are single values, lines are running means, and dashes the mean then.
    """
    shown = sorted((one for one in drift.classes if one.scores), key=_moved, reverse=True)[:MOST_LINES]
    times = [time for one in shown for time, _ in one.scores] + [time for time, _ in drift.rates]
    height = TOP + PANELS * PANEL + (PANELS - 1) * GAP + FOOT
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
    scores, distances, unknown = (_Panel(TOP + n * (PANEL + GAP), first, last) for n in range(PANELS))
    parts += scores.frame("Score of the objects: lower is less sure")
    parts += distances.frame("Distance of the objects from the samples of their class: higher is less alike")
    parts += unknown.frame("Share of the things in a picture that no class took")
    for place, (one, colour) in enumerate(zip(shown, COLOURS, strict=False)):
        parts += scores.line(one.scores, one.score.then, colour)
        parts += distances.line(one.distances, one.distance.then, colour)
        parts += _legend(place, one, colour)
    parts += unknown.line(drift.rates, drift.unknown.then, INK)
    parts.append(_text(LEFT, height - 12, KEY, SOFT, 12))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _moved(one: ClassDrift) -> tuple[bool, float, int]:
    return one.worse, max(_change(one.score), _change(one.distance)), one.count


def _change(shift: Shift) -> float:
    return abs((shift.then or 0.0) - (shift.now or 0.0))


@dataclass(frozen=True)
class _Panel:
    """Values 0..1 over time.

    Attributes:
        top: of the panel, in pixels of the picture.
        first: time at its left border.
        last: time at its right border.
    """

    top: int
    first: datetime
    last: datetime

    def frame(self, title: str) -> list[str]:
        right, bottom = WIDTH - RIGHT, self.top + PANEL
        parts = [_text(LEFT, self.top - 14, title, INK, 14)]
        for value in (0.0, 0.5, 1.0):
            y = self._y(value)
            parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{LINE}" fill="none"/>')
            parts.append(_text(LEFT - 8, y + 4, f"{value:g}", SOFT, 12, "end"))
        parts.append(_text(LEFT, bottom + 18, _time(self.first), SOFT, 12))
        if self.last > self.first:
            parts.append(_text(right, bottom + 18, _time(self.last), SOFT, 12, "end"))
        return parts

    def line(self, series: Series, then: float | None, colour: str) -> list[str]:
        if not series:
            return []
        values = np.array([value for _, value in series])
        means = _running_means(values)
        count = min(len(series), MOST_POINTS)
        picked = np.linspace(0, len(series) - 1, count).round().astype(int).tolist()
        parts = [
            f'<circle cx="{self._x(series[n][0])}" cy="{self._y(values[n])}" r="2.2" '
            f'fill="{colour}" fill-opacity="0.28"/>'
            for n in picked
        ]
        points = " ".join(f"{self._x(series[n][0])},{self._y(means[n])}" for n in picked)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
            'stroke-linejoin="round" stroke-linecap="round"/>'
        )
        if then is not None:
            dashes = f'stroke="{colour}" stroke-width="1.2" stroke-dasharray="3 5" stroke-opacity="0.8"'
            parts.append(f'<path d="M{LEFT} {self._y(then)}H{WIDTH - RIGHT}" fill="none" {dashes}/>')
        return parts

    def _x(self, time: datetime) -> float:
        span = (self.last - self.first).total_seconds()
        share = (time - self.first).total_seconds() / span if span else 0.0
        return round(LEFT + share * (WIDTH - RIGHT - LEFT), 1)

    def _y(self, value: float) -> float:
        return round(self.top + PANEL * (1 - min(max(float(value), 0.0), 1.0)), 1)


def _legend(place: int, one: ClassDrift, colour: str) -> list[str]:
    x, y = WIDTH - RIGHT + 20, TOP + 8 + 22 * place
    note = " (worse)" if one.worse else ""
    return [
        f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{colour}"/>',
        _text(x + 12, y, one.name[:20] + note, INK, 13),
    ]


def _running_means(values: Values) -> Values:
    """Of each value and those before it, `RUN` at most."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - RUN, 0)
    means: Values = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _text(x: float, y: float, text: str, colour: str, size: int, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" {FONT}>'
        f"{escape(text)}</text>"
    )
