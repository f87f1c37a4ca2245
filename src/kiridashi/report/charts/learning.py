"""Quality against the number of shots: a line and a band a method."""

from collections.abc import Sequence
from dataclasses import dataclass

from kiridashi.evaluate.intervals import Interval
from kiridashi.report.charts import svg

LEFT, TOP, HEIGHT, BOTTOM = 62, 12, 250, 50
# From one end label to the next.
APART = 17


@dataclass(frozen=True)
class CurvePoint:
    """The quality of a method with a number of shots."""

    method: str
    shots: int
    iou: Interval


def draw(points: Sequence[CurvePoint], title: str, across: str, upwards: str, enough: int | None) -> str:
    """Numbers of shots stand at even distances; names stand at the ends of their lines.

    Args:
        points: at least one.
        title: for those who cannot see it.
        across: what the axis to the right means.
        upwards: what the upward axis means.
        enough: number of shots that is set off, if any.
    """
    shots = sorted({point.shots for point in points})
    methods = list(dict.fromkeys(point.method for point in points))
    right = max(svg.text_width(name) for name in methods) + 34
    span = svg.WIDTH - LEFT - right
    top_value = max(0.2, max(point.iou.high for point in points))

    def at(number: int) -> float:
        place = shots.index(number)
        return LEFT + span * (0.5 if len(shots) == 1 else 0.04 + 0.92 * place / (len(shots) - 1))

    def up(share: float) -> float:
        return TOP + HEIGHT * (1 - max(share, 0) / top_value)

    bottom = TOP + HEIGHT
    marks = []
    for tick in svg.ticks(0, top_value, 5):
        marks += [
            svg.line(LEFT, up(tick), LEFT + span, up(tick)),
            svg.text(LEFT - 8, up(tick) + 4, f"{tick:.0%}", svg.SOFT, "end", 12),
        ]
    if enough is not None and enough in shots:
        marks.append(svg.line(at(enough), TOP, at(enough), bottom, svg.GOOD, 1.5, "5 3"))
    marks += [svg.text(at(number), bottom + 18, f"{number}", svg.SOFT, "middle", 12) for number in shots]
    marks += [
        svg.text(LEFT + span / 2, bottom + 40, across, svg.SOFT, "middle", 12),
        f'<g transform="rotate(-90 14 {TOP + HEIGHT / 2:.0f})">'
        + svg.text(14, TOP + HEIGHT / 2, upwards, svg.SOFT, "middle", 12)
        + "</g>",
    ]
    ends: list[tuple[float, int, str]] = []
    for number, name in enumerate(methods):
        own = sorted((point for point in points if point.method == name), key=lambda point: point.shots)
        colour, dash = svg.COLOURS[number % len(svg.COLOURS)], svg.DASHES[number % len(svg.DASHES)]
        over = [(at(point.shots), up(point.iou.high)) for point in own]
        under = [(at(point.shots), up(point.iou.low)) for point in reversed(own)]
        middle = [(at(point.shots), up(point.iou.mean)) for point in own]
        marks += [svg.area([*over, *under], colour), svg.path(middle, colour, 2, dash)]
        marks += [svg.dot(x, y, colour, 3.5) for x, y in middle]
        ends.append((middle[-1][1], number, name))
    marks += _names(ends, LEFT + span, bottom)
    return svg.picture(bottom + BOTTOM, title, marks)


def _names(ends: list[tuple[float, int, str]], x: float, lowest: float) -> list[str]:
    """Names beside the ends of their lines, pushed apart where they would lie on each other."""
    places: list[float] = []
    for wanted, _, _ in sorted(ends):
        places.append(max(wanted, places[-1] + APART) if places else max(wanted, TOP + 6))
    over = max(0.0, places[-1] - lowest)
    marks = []
    for (wanted, number, name), place in zip(sorted(ends), places, strict=True):
        y, colour = place - over, svg.COLOURS[number % len(svg.COLOURS)]
        marks.append(svg.line(x, wanted, x + 12, y, colour))
        marks.append(svg.text(x + 16, y + 4, name, colour))
    return marks
