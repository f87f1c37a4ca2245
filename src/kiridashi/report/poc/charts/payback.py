"""The money over time: what is spent once, then the savings, between the ends of their interval."""

from collections.abc import Callable

from kiridashi.report.charts import svg
from kiridashi.report.poc.document import Worth

TOP, HEIGHT, BOTTOM, RIGHT = 22, 230, 48, 26
MONTHS, HALF_YEAR = 12, 6


def draw(worth: Worth, title: str, across: str, amount: Callable[[float], str], break_even: str) -> str:
    """The cumulated result by month, with a mark where it passes nothing.

    Args:
        worth: of the option.
        title: for those who cannot see it.
        across: what the axis to the right means.
        amount: writes an amount.
        break_even: the words at the mark.
    """
    months = worth.years * MONTHS
    ends = [
        _after(worth.once, one, months) for one in (worth.saving.low, worth.saving.value, worth.saving.high)
    ]
    low, high = min(-worth.once, *ends, 0.0), max(*ends, 0.0)
    if high == low:
        high = low + 1
    steps = svg.ticks(low, high, 5)
    left = max(svg.text_width(amount(step), 12) for step in steps) + 16
    span, bottom = svg.WIDTH - left - RIGHT, TOP + HEIGHT

    def at(month: float) -> float:
        return left + span * month / months

    def up(value: float) -> float:
        return TOP + HEIGHT * (high - value) / (high - low)

    marks = []
    for step in steps:
        colour = svg.SOFT if abs(step) < 1e-9 else svg.LINE
        marks += [
            svg.line(left, up(step), left + span, up(step), colour),
            svg.text(left - 8, up(step) + 4, amount(step), svg.SOFT, "end", 12),
        ]
    step_months = HALF_YEAR if months <= 5 * MONTHS else MONTHS * round(months / MONTHS / 8 + 0.5)
    for month in range(0, int(months) + 1, step_months):
        marks.append(svg.text(at(month), bottom + 18, f"{month}", svg.SOFT, "middle", 12))
    marks.append(svg.text(left + span / 2, bottom + 38, across, svg.SOFT, "middle", 12))
    start = (at(0), up(-worth.once))
    worst, middle, best = ((at(months), up(end)) for end in ends)
    colour = svg.GOOD if worth.net.value > 0 else svg.BAD
    marks += [svg.area([start, best, worst], colour, 0.15), svg.path([start, middle], colour, 2.5)]
    if worth.payback_months is not None and worth.payback_months <= months:
        x, y = at(worth.payback_months), up(0)
        to_left = x > left + span / 2
        marks += [
            svg.line(x, y - 26, x, y, svg.INK, 1),
            svg.dot(x, y, svg.INK, 4.5),
            svg.text(
                x + (-6 if to_left else 6), y - 16, break_even, svg.INK, "end" if to_left else "start", 12
            ),
        ]
    return svg.picture(bottom + BOTTOM, title, marks)


def _after(once: float, saving: float, months: float) -> float:
    return saving * months / MONTHS - once
