"""Coarse against final quality as a picture: does a better map give a better result?"""

from collections.abc import Sequence
from html import escape

from kiridashi.evaluate.wsol.agreement import Agreement, Pair

SIDE, LEFT, TOP, GAP, BOTTOM = 300, 60, 58, 48, 64
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
INK, SOFT, LINE, DOT = "#20242b", "#646b76", "#d9dce1", "#0072b2"


def draw(found: Sequence[Agreement]) -> str:
    """One square a set: a dot a picture and class, the map's IoU to the right, that of the answer upwards.

    Above the diagonal the answer is better than the map it starts from; hollow dots kept the coarse region.

    Args:
        found: at least one set's agreement.

    Returns:
        An SVG picture whose text stays text.
    """
    width = LEFT + len(found) * (SIDE + GAP)
    height = TOP + SIDE + BOTTOM
    frame = f'width="{width}" height="{height}"'
    kind = 'xmlns="http://www.w3.org/2000/svg" role="img" font-family="system-ui, sans-serif"'
    parts = [
        f'<svg {kind} viewBox="0 0 {width} {height}" {frame}>',
        "<title>IoU of the coarse map and of the final answer</title>",
        f'<rect {frame} fill="#fff"/>',
    ]
    for number, one in enumerate(found):
        parts += _panel(one, LEFT + number * (SIDE + GAP))
    legend = "above the diagonal: better than the coarse map · hollow: the coarse region was kept"
    parts.append(_text(LEFT, height - 12, legend, SOFT, 12))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(found: Agreement, left: float) -> list[str]:
    bottom, right = TOP + SIDE, left + SIDE
    known = (
        "no rank correlation" if found.correlation is None else f"rank correlation {found.correlation:+.2f}"
    )
    parts = [
        _text(left, TOP - 30, found.pairs[0].set, INK, 14),
        _text(left, TOP - 12, f"{len(found.pairs)} answers, {found.better:.0%} better, {known}", SOFT, 12),
        f'<rect x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="{SOFT}"/>',
        f'<path d="M{left} {bottom}L{right} {TOP}" stroke="{LINE}" stroke-width="1.5"/>',
        _text(left + SIDE / 2, bottom + 34, "IoU of the coarse map", INK, 12, "middle"),
    ]
    for tick in TICKS:
        along = tick * SIDE
        parts.append(_text(left + along, bottom + 17, f"{tick:g}", SOFT, 11, "middle"))
        parts.append(_text(left - 6, bottom - along + 4, f"{tick:g}", SOFT, 11, "end"))
    return parts + [_dot(pair, left, bottom) for pair in found.pairs]


def _dot(pair: Pair, left: float, bottom: float) -> str:
    x, y = left + pair.coarse * SIDE, bottom - pair.final * SIDE
    fill = "none" if pair.fallback else DOT
    tip = escape(f"{pair.picture}, {pair.label}: {pair.coarse:.2f}, {pair.final:.2f}")
    look = f'r="3.4" fill="{fill}" fill-opacity="0.55" stroke="{DOT}"'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" {look}><title>{tip}</title></circle>'


def _text(x: float, y: float, text: str, colour: str, size: int, anchor: str = "start") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {where}>{escape(text)}</text>"
