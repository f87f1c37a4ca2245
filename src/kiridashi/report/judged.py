"""Pictures beside their truth, as reports show them."""

from kiridashi.core.adapters.overlay import draw_overlay
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture, Rgb
from kiridashi.core.segments import Segment, Segments
from kiridashi.evaluate.episodes import Example


def marked(picture: Picture, mask: Mask) -> Rgb:
    """The picture with a mask outlined."""
    whole = Segments(picture.size, (Segment(mask, 1.0, ""),))
    return draw_overlay(picture, whole, alpha=0.25, line=max(2, round(max(picture.size) / 160)))


def judged(query: Example, answer: Mask) -> Rgb:
    """What was found too much, missed and right, in the first three colours of the palette."""
    found, counted = answer.to_array(), ~query.ignore.to_array()
    true = query.mask.to_array() & counted
    parts = (found & ~true & counted, true & ~found, true & found)
    segments = tuple(Segment(Mask.from_array(part), 1.0, "") for part in parts)
    return draw_overlay(query.picture, Segments(query.picture.size, segments), alpha=0.6, line=1)
