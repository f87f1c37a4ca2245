"""What a sweep over the settings of localisation came to: its rows, its table and its plot."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from kiridashi.core.adapters.overlay import colours
from kiridashi.evaluate.intervals import Interval

COLUMNS = (
    *("points_per_side", "candidates", "matching", "seconds", "iou", "iou_low", "iou_high", "gt_known"),
    *("kept_coarse", "pictures", "on_front", "recommended"),
)
ALL = "all"
WIDTH, HEIGHT = 900, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 220, 56, 70
INK, SOFT, LINE = "#20242b", "#646b76", "#d9dce1"
FONT = 'font-family="system-ui, sans-serif"'
# A marker for each way of matching, drawn around 0, 0.
SHAPES = (
    "M-5 -5h10v10h-10z",
    "M0 -6.5L6 5H-6z",
    "M0 -6.5L6.5 0L0 6.5L-6.5 0z",
    "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0z",
)


@dataclass(frozen=True)
class SweepRow:
    """One setting, measured.

    Attributes:
        points_per_side: of the grid.
        candidates: of the gallery's masks only so many; None: all.
        matching: the measure.
        seconds: a picture, median.
        iou: mean over the pictures with its interval, of masks where they are known, else of boxes.
        gt_known: share of pictures whose box has an IoU of 0.5 or more with a true one.
        kept_coarse: share of pictures in which the coarse region stayed.
        on_front: no other setting is as fast and as accurate, and better in one of both.
        recommended: by the rule of `kiridashi.localize.sweeping`.
    """

    points_per_side: int
    candidates: int | None
    matching: str
    seconds: float
    iou: Interval
    gt_known: float
    kept_coarse: float
    on_front: bool = False
    recommended: bool = False

    @property
    def cells(self) -> tuple[str, ...]:
        """Of a table, in the order of `COLUMNS`."""
        return (
            str(self.points_per_side),
            ALL if self.candidates is None else str(self.candidates),
            self.matching,
            f"{self.seconds:.4f}",
            *(f"{value:.4f}" for value in (self.iou.mean, self.iou.low, self.iou.high)),
            f"{self.gt_known:.4f}",
            f"{self.kept_coarse:.4f}",
            str(self.iou.count),
            "yes" if self.on_front else "",
            "yes" if self.recommended else "",
        )


def table(rows: Sequence[SweepRow]) -> str:
    """All rows as CSV with their titles."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row.cells for row in rows)
    return stream.getvalue()


def draw(rows: Sequence[SweepRow], title: str) -> str:
    """Accuracy against seconds as one SVG picture.

    The colour is the grid, the shape the matching; hollow: few candidates only. A line joins the settings
    that no other beats; the recommended one is ringed. Seconds are on a logarithmic scale.

    Args:
        rows: at least one.
        title: what was measured.
    """
    sides = sorted({row.points_per_side for row in rows})
    measures = list(dict.fromkeys(row.matching for row in rows))
    hues = {
        side: f"rgb({red},{green},{blue})"
        for side, (red, green, blue) in zip(sides, _strong(len(sides)), strict=True)
    }
    shapes = {name: SHAPES[place % len(SHAPES)] for place, name in enumerate(measures)}
    axes = _Axes(rows)
    frame = f'width="{WIDTH}" height="{HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {frame} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect {frame} fill="#fff"/>',
        _text(LEFT, 28, title, INK, 15),
        *axes.draw(),
        *_front(rows, axes),
    ]
    for row in rows:
        x, y, hue = axes.x(row.seconds), axes.y(row.iou.mean), hues[row.points_per_side]
        if row.recommended:
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="13" fill="none" stroke="{INK}" stroke-width="2"/>'
            )
        tip = f"{row.points_per_side} x {row.points_per_side}, {row.cells[1]} candidates, {row.matching}"
        parts.append(
            f'<path transform="translate({x:.1f} {y:.1f})" d="{shapes[row.matching]}" stroke="{hue}" '
            f'stroke-width="1.8" fill="{hue if row.candidates is None else "#fff"}"><title>{escape(tip)}: '
            f"{row.iou.mean:.3f}, {row.seconds:.3f} s</title></path>"
        )
    parts += _legend(hues, shapes, any(row.candidates is not None for row in rows))
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Axes:
    """Where a setting lies in the plot."""

    def __init__(self, rows: Sequence[SweepRow]) -> None:
        seconds = [max(row.seconds, 1e-4) for row in rows]
        self._first, self._last = _widened(math.log10(min(seconds)), math.log10(max(seconds)), 0.1)
        ious = [row.iou.mean for row in rows]
        low, high = _widened(min(ious), max(ious), 0.02)
        self._low, self._high = max(0.0, low), min(1.0, high)

    def x(self, seconds: float) -> float:
        share = (math.log10(max(seconds, 1e-4)) - self._first) / (self._last - self._first)
        return LEFT + share * (WIDTH - RIGHT - LEFT)

    def y(self, iou: float) -> float:
        share = (iou - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def draw(self) -> list[str]:
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        parts = [f'<path d="M{LEFT} {TOP}V{bottom}H{right}" stroke="{SOFT}" fill="none"/>']
        for value in _steps(self._low, self._high):
            y = self.y(value)
            parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{LINE}" fill="none"/>')
            parts.append(_text(LEFT - 8, y + 4, f"{value:.2f}", SOFT, 12, "end"))
        for value in _decades(10**self._first, 10**self._last):
            x = self.x(value)
            parts.append(f'<path d="M{x:.1f} {bottom}v5" stroke="{SOFT}" fill="none"/>')
            parts.append(_text(x, bottom + 20, f"{value:g}", SOFT, 12, "middle"))
        parts.append(_text((LEFT + right) / 2, HEIGHT - 22, "seconds a picture", INK, 13, "middle"))
        parts.append(_text(LEFT - 52, TOP - 12, "mean IoU", INK, 13))
        return parts


def _front(rows: Sequence[SweepRow], axes: _Axes) -> list[str]:
    front = sorted((row for row in rows if row.on_front), key=lambda row: row.seconds)
    points = " ".join(f"{axes.x(row.seconds):.1f},{axes.y(row.iou.mean):.1f}" for row in front)
    return [f'<polyline points="{points}" fill="none" stroke="{SOFT}" stroke-dasharray="4 4"/>']


def _legend(hues: dict[int, str], shapes: dict[str, str], hollow: bool) -> list[str]:
    x, y, parts = WIDTH - RIGHT + 24, TOP + 6, []
    for side, hue in hues.items():
        parts.append(f'<circle cx="{x}" cy="{y - 4}" r="6" fill="{hue}"/>')
        parts.append(_text(x + 16, y, f"{side} x {side} points", INK, 13))
        y += 21
    y += 12
    for name, shape in shapes.items():
        parts.append(f'<path transform="translate({x} {y - 4})" d="{shape}" stroke="{SOFT}" fill="{SOFT}"/>')
        parts.append(_text(x + 16, y, name, INK, 13))
        y += 21
    y += 12
    notes = ["ringed: recommended", "dashed: nothing is better"]
    for note in [*notes, "hollow: few candidates"] if hollow else notes:
        parts.append(_text(x - 6, y, note, SOFT, 12))
        y += 18
    return parts


def _strong(count: int) -> list[tuple[int, int, int]]:
    """Colours that show on white: the palette without its yellow."""
    return [colour for colour in colours(count + 1) if colour != (240, 228, 66)][:count]


def _widened(low: float, high: float, least: float) -> tuple[float, float]:
    margin = max((high - low) * 0.12, least)
    return low - margin, high + margin


def _steps(low: float, high: float) -> list[float]:
    """Some five round values between two."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step)
    return [round(number * step, 6) for number in range(first, math.floor(high / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [factor * 10.0**exponent for exponent in exponents for factor in (1, 2, 5)]
    return [value for value in values if low <= value <= high]


def _text(x: float, y: float, text: str, colour: str, size: int, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" {FONT}>'
        f"{escape(text)}</text>"
    )
