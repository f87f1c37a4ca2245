"""How far the result moves when one input is off: the widest bar first."""

from collections.abc import Callable, Sequence

from kiridashi.report.charts import svg
from kiridashi.report.poc.document import Swing

ROW, THICK, TOP, BOTTOM = 34, 15, 26, 26
SHOWN = 12


def draw(
    swings: Sequence[Swing],
    net: float,
    title: str,
    name: Callable[[Swing], str],
    end: Callable[[Swing, float], str],
    amount: Callable[[float], str],
) -> str:
    """A bar an input, from the result at its lower to that at its upper end; the line is the result as it is.

    Args:
        swings: widest first; the first dozen are drawn.
        net: the result with nothing changed.
        title: for those who cannot see it.
        name: of an input.
        end: writes an input's value.
        amount: writes a result.
    """
    shown = swings[:SHOWN]
    values = [value for swing in shown for value in (swing.net_low, swing.net_high)]
    low, high = min(*values, net, 0.0), max(*values, net, 0.0)
    if high == low:
        high = low + 1
    left = min(330.0, max(svg.text_width(name(swing)) for swing in shown) + 18)
    # Beside the bars stands what the input was.
    margin = (
        max(svg.text_width(end(swing, value), 11) for swing in shown for value in (swing.low, swing.high))
        + 12
    )
    span = svg.WIDTH - left - 2 * margin
    bottom = TOP + ROW * len(shown)

    def at(value: float) -> float:
        return left + margin + span * (value - low) / (high - low)

    marks = []
    for tick in svg.ticks(low, high, 4):
        marks += [
            svg.line(at(tick), TOP, at(tick), bottom),
            svg.text(at(tick), bottom + 18, amount(tick), svg.SOFT, "middle", 12),
        ]
    marks += [
        svg.line(at(0), TOP, at(0), bottom, svg.SOFT, 1.2),
        svg.line(at(net), TOP - 6, at(net), bottom, svg.INK, 1.5, "4 3"),
        svg.text(at(net), TOP - 11, amount(net), svg.INK, "middle", 12, bold=True),
    ]
    for number, swing in enumerate(shown):
        y = TOP + ROW * (number + 0.5)
        marks += _row(swing, y, left, at, name(swing), end)
    return svg.picture(bottom + BOTTOM, title, marks)


def _row(
    swing: Swing,
    y: float,
    left: float,
    at: Callable[[float], float],
    name: str,
    end: Callable[[Swing, float], str],
) -> list[str]:
    (worse, worse_at), (better, better_at) = sorted(
        ((swing.net_low, swing.low), (swing.net_high, swing.high)), key=lambda pair: pair[0]
    )
    x0, x1 = at(worse), at(better)
    colour = svg.NEUTRAL if swing.measured else svg.SOFT
    return [
        svg.text(left - 10, y + 4, name, svg.INK, "end"),
        svg.bar(x0, y - THICK / 2, max(x1 - x0, 1), THICK, colour),
        svg.text(x0 - 5, y + 4, end(swing, worse_at), svg.SOFT, "end", 11),
        svg.text(x1 + 5, y + 4, end(swing, better_at), svg.SOFT, "start", 11),
    ]
