"""Records and a report of a made-up run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.models.catalogue import find_card
from kiridashi.report.page import Report, Timing
from kiridashi.report.records import Record

SIZE = (40, 50)


def square(x: int, y: int, side: int) -> Mask:
    full = np.zeros(SIZE, dtype=bool)
    full[y : y + side, x : x + side] = True
    return Mask.from_array(full)


def picture(name: str = "a.png") -> Picture:
    shades = np.linspace(0, 255, SIZE[0] * SIZE[1] * 3).reshape(*SIZE, 3)
    return Picture(shades.astype(np.uint8), name)


def result(score: float = 0.8, present: bool = True) -> Segments:
    items = (Segment(square(3, 4, 9), 0.9, "object"), Segment(square(20, 5, 12), 0.7, "object"))
    how = {"refinement": "guided by the edges"}
    return Segments(SIZE, items if present else (), Verdict(present, score, 0.5), how)


@pytest.fixture
def make_report(tmp_path: Path) -> Callable[..., Report]:
    """A report on `count` pictures whose scores rise from 0, and `failed` broken ones."""

    def make(count: int = 3, failed: int = 0) -> Report:
        overlay = tmp_path / "overlay.jpg"
        Image.fromarray(picture().pixels).save(overlay)
        records = [
            Record.of(f"photos/p{i:04}.png", f"p{i:04}", (1, 2), result(i / count, 2 * i >= count), 0.25)
            for i in reversed(range(count))
        ]
        records += [Record(f"<b{i}>.png", f"b{i}", 0.0, error="cut <short>") for i in range(failed)]
        return Report(
            references=[Reference(picture("part.png"), square(5, 5, 20))],
            negatives=[Negative(picture("other.png"))],
            records=records,
            overlays=lambda stem: overlay,
            method="prototype",
            card=find_card("compact"),
            plain=False,
            seed=0,
            timing=Timing(1.5, 3.0),
        )

    return make
