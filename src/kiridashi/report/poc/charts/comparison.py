"""Methods one below the other: a point with its interval, on a scale of 0 to 100 %."""

from collections.abc import Sequence

from kiridashi.evaluate.intervals import Interval
from kiridashi.report.charts import svg

ROW, TOP, BOTTOM, RIGHT = 30, 10, 44, 150


def draw(
    rows: Sequence[tuple[str, Interval]], title: str, axis: str, marked: str, needed: float | None
) -> str:
    """A row a method.

    Args:
        rows: (name, interval of shares).
        title: for those who cannot see it.
        axis: what the scale means.
        marked: name of the row that is set off.
        needed: a line at this share, if one is asked for.
    """
    left = min(300.0, max(svg.text_width(name) for name, _ in rows) + 18)
    span = svg.WIDTH - left - RIGHT
    bottom = TOP + ROW * len(rows)
    marks = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = left + span * tick
        marks += [
            svg.line(x, TOP, x, bottom),
            svg.text(x, bottom + 17, f"{tick:.0%}", svg.SOFT, "middle", 12),
        ]
    marks.append(svg.text(left + span / 2, bottom + 37, axis, svg.SOFT, "middle", 12))
    if needed is not None:
        x = left + span * needed
        marks.append(svg.line(x, TOP, x, bottom, svg.BAD, 1.5, "5 3"))
    for number, (name, interval) in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        colour = svg.NEUTRAL if name == marked else svg.SOFT
        low, high, point = (left + span * share for share in (interval.low, interval.high, interval.mean))
        marks += [
            svg.text(left - 12, y + 4, name, svg.INK, "end", bold=name == marked),
            svg.line(low, y, high, y, colour, 3),
            svg.dot(point, y, colour, 5),
            svg.text(left + span + 14, y + 4, percent(interval), colour, size=12),
        ]
    return svg.picture(bottom + BOTTOM, title, marks)


def percent(interval: Interval) -> str:
    """`62 % [55, 70]`."""
    return f"{100 * interval.mean:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"
