"""A year as it is and as it would be, as two bars of the same parts."""

from collections.abc import Callable, Sequence

from kiridashi.report.charts import svg
from kiridashi.report.poc.document import Bill

ROW, THICK, TOP, LEGEND = 46, 26, 8, 30
PARTS = (
    ("labour", svg.COLOURS[0]),
    ("misses", svg.COLOURS[1]),
    ("false_alarms", svg.COLOURS[5]),
    ("running", svg.COLOURS[2]),
)


def draw(
    bills: Sequence[tuple[str, Bill]], title: str, name: Callable[[str], str], amount: Callable[[float], str]
) -> str:
    """A bar a bill.

    Args:
        bills: (name, bill).
        title: for those who cannot see it.
        name: of a part, by its key.
        amount: writes an amount.
    """
    left = max(svg.text_width(words) for words, _ in bills) + 18
    right = max(svg.text_width(amount(bill.total)) for _, bill in bills) + 20
    span = svg.WIDTH - left - right
    most = max(*(bill.total for _, bill in bills), 1e-9)
    marks = []
    for number, (words, bill) in enumerate(bills):
        y, x = TOP + ROW * (number + 0.5), left
        marks.append(svg.text(left - 10, y + 4, words, svg.INK, "end"))
        for key, colour in PARTS:
            part = getattr(bill, key)
            width = span * part / most
            marks.append(svg.bar(x, y - THICK / 2, width, THICK, colour, f"{name(key)}: {amount(part)}"))
            x += width
        marks.append(svg.text(x + 10, y + 4, amount(bill.total), svg.INK, bold=True))
    y, x = TOP + ROW * len(bills) + 14, left
    for key, colour in PARTS:
        marks += [svg.bar(x, y - 10, 11, 11, colour), svg.text(x + 17, y, name(key), svg.SOFT, size=12)]
        x += svg.text_width(name(key), 12) + 40
    return svg.picture(y + LEGEND - 14, title, marks)
