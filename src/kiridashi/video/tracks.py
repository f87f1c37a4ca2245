"""The table of tracks: one line for each object in each frame."""

import csv
import io

from kiridashi.core.mask import Mask
from kiridashi.video.tracker import TrackedFrame

COLUMNS = (
    "frame",
    "object",
    "state",
    "why",
    "score",
    "area",
    "centre_x",
    "centre_y",
    "x0",
    "y0",
    "x1",
    "y1",
    "seconds",
)


def header() -> str:
    """The first line, with its line end."""
    return _lines([COLUMNS])


def rows(frame: TrackedFrame, seconds: float | None = None) -> str:
    """The lines of one frame, each with its line end; empty without objects.

    Centre and box are in pixels, the box with x1, y1 exclusive; they are empty where the object is lost.

    Args:
        frame: what was found.
        seconds: when it was, where that is known.
    """
    when = "" if seconds is None else f"{seconds:.3f}"
    return _lines(
        [
            (
                frame.index,
                name,
                str(one.state),
                str(one.why),
                f"{one.score:.4f}",
                one.mask.area,
                *_place(one.mask),
                when,
            )
            for name, one in frame.objects.items()
        ]
    )


def _place(mask: Mask) -> tuple[str, ...]:
    if mask.is_empty:
        return ("",) * 6
    x, y = mask.origin
    columns, lines = mask.bitmap.sum(axis=0), mask.bitmap.sum(axis=1)
    area = mask.area
    # Centres of pixels lie at halves.
    centre_x = x + 0.5 + float(columns @ range(len(columns))) / area
    centre_y = y + 0.5 + float(lines @ range(len(lines))) / area
    return f"{centre_x:.2f}", f"{centre_y:.2f}", *map(str, mask.box)


def _lines(values: list[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(values)
    return text.getvalue()
