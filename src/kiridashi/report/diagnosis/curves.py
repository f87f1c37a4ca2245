"""Curves over the frames of a clip as SVG, with their texts as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from kiridashi.core.adapters.overlay import colours

WIDTH, HEIGHT = 1060, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 190, 12, 30
INK, SOFT, LINE = "#20242b", "#646b76", "#e3e5e9"
YELLOW = (240, 228, 66)
TICKS = 6
ROWS = 4


@dataclass(frozen=True)
class Series:
    """One curve.

    Attributes:
        label: for the legend.
        points: (frame, value); frames that are left out break the curve.
        shade: number of its colour, the same in every chart; 0 is ink.
    """

    label: str
    points: Sequence[tuple[int, float]]
    shade: int = 0


def draw(
    series: Sequence[Series],
    title: str,
    *,
    top: float | None = None,
    line: float | None = None,
) -> str:
    """Curves in one picture.

    Args:
        series: with a point at least.
        title: read out instead of the picture.
        top: of the scale, which begins at 0; None: what is needed.
        line: a value that is marked across.
    """
    points = [point for one in series for point in one.points]
    last = max((frame for frame, _ in points), default=1) or 1
    reached = max([value for _, value in points] + ([] if line is None else [line]), default=1.0)
    high = (reached * 1.08 if top is None else top) or 1.0
    x, y = _Axis(0, last, LEFT, WIDTH - RIGHT), _Axis(0, high, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="curve">',
        f"<title>{escape(title)}</title>",
        *_grid(x, y),
    ]
    if line is not None:
        across = f"M{LEFT} {y(line):.1f}H{WIDTH - RIGHT}"
        parts.append(f'<path d="{across}" stroke="{INK}" stroke-dasharray="5 4" fill="none"/>')
    shades = [INK, *(f"rgb{shade}" for shade in _strong(max((one.shade for one in series), default=0)))]
    for number, one in enumerate(series):
        shade = shades[one.shade]
        parts += _curve(one, shade, x, y)
        row = TOP + 12 + 18 * number
        parts.append(f'<path d="M{WIDTH - RIGHT + 14} {row - 4}h18" stroke="{shade}" stroke-width="2.5"/>')
        parts.append(_text(WIDTH - RIGHT + 38, row, one.label, INK))
    return "\n".join([*parts, "</svg>"])


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def _grid(x: _Axis, y: _Axis) -> list[str]:
    parts = []
    for row in range(ROWS + 1):
        value = y.high * row / ROWS
        parts.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="{LINE}" fill="none"/>')
        parts.append(_text(LEFT - 6, y(value) + 4, f"{value:.2g}", SOFT, "end"))
    step = max(1, round(x.high / TICKS))
    frames = range(0, int(x.high) + 1, step)
    return parts + [_text(x(frame), HEIGHT - 10, str(frame), SOFT, "middle") for frame in frames]


def _curve(one: Series, shade: str, x: _Axis, y: _Axis) -> list[str]:
    parts, run = [], [one.points[0]] if one.points else []
    for before, now in zip(one.points, one.points[1:], strict=False):
        if now[0] != before[0] + 1:
            parts.append(_run(run, shade, x, y))
            run = []
        run.append(now)
    return [*parts, _run(run, shade, x, y)]


def _run(points: Sequence[tuple[int, float]], shade: str, x: _Axis, y: _Axis) -> str:
    places = [f"{x(frame):.1f},{y(value):.1f}" for frame, value in points]
    if len(places) == 1:
        across, down = places[0].split(",")
        return f'<circle cx="{across}" cy="{down}" r="2" fill="{shade}"/>'
    return f'<polyline points="{" ".join(places)}" fill="none" stroke="{shade}" stroke-width="1.7"/>'


def _strong(count: int) -> list[tuple[int, int, int]]:
    """Colours that show on white: the palette without its yellow."""
    return [shade for shade in colours(count + 1) if shade != YELLOW]


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-size="12">{escape(text)}</text>'
