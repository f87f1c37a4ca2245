"""A small site that is drawn: bright discs on a dark ground, and quick methods of known quality."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.poc.proof import Lineup

SIZE = (40, 48)
DISCS, GOOD = 26, 10

MONEY = """
    money:
      labelling: {minutes_per_picture: 5, wage_per_hour: 30}
      volume: {pictures_per_day: 1000, days_per_year: 200, defect_share: 0.05}
      errors: {false_alarm: 0.05, miss: 4}
      current: {seconds_per_picture: 8, wage_per_hour: 30, miss_rate: 0.1, false_alarm_rate: 0.02}
      introduction: {hardware: 2000, integration: 5000, upkeep_per_year: 1000, labour_left: 0.2, years: 3}
"""

SITE = """
title: Discs
currency: EUR
seed: 3
use_cases:
  - name: bright discs
    data: {folder: discs, tags: tags.csv, licence: drawn for a test, people: false}
    methods: [sharp, wide]
    baseline: wide
    budget: {shots: [1, 2], repeats: 2, test_pictures: 20, robustness_pictures: 4, severities: [3]}
    robustness: [sensor-noise, viewpoint]
    conditions:
      planned: {light: [day, night]}
      expected: [sensor-noise]
    needed: {iou: 0.6}
"""

# What suffices where it is not about the figures.
QUICK = (
    SITE.replace("shots: [1, 2], repeats: 2", "shots: [1], repeats: 1")
    .replace("robustness_pictures: 4", "robustness_pictures: 0")
    .replace("test_pictures: 20", "test_pictures: 8")
)


class Brightness:
    """Everything brighter than half of the references' objects, grown by `margin` pixels."""

    fits = 0
    asked: list[str] = []  # noqa: RUF012 (reset by every site)

    def __init__(self, seed: int, margin: int = 0) -> None:
        self.seed, self.margin = seed, margin

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        Brightness.fits += 1
        levels = [one.picture.pixels[one.mask.to_array()].mean() for one in references]
        self.level_ = float(np.mean(levels)) / 2
        return self

    def predict(self, picture: Picture) -> Segments:
        Brightness.asked.append(picture.name)
        found = picture.pixels.mean(axis=2) > self.level_
        for _ in range(self.margin):
            grown = found.copy()
            for axis in (0, 1):
                grown |= np.roll(found, 1, axis) | np.roll(found, -1, axis)
            found = grown
        share = float(found.mean())
        verdict = Verdict(share > 0.02, share, 0.02)
        items = (Segment(Mask.from_array(found), 1.0, "object"),) if verdict.present else ()
        return Segments(picture.size, items, verdict)


LINEUP = Lineup(
    {
        "sharp": lambda seed: Brightness(seed),
        "wide": lambda seed: Brightness(seed, margin=3),
    },
    {"sharp": "Apache-2.0"},
    (("brightness", "Apache-2.0", "drawn"),),
    {"model": "none"},
)


def make_site(root: Path, text: str = SITE, discs: int = DISCS, good: int = GOOD) -> Path:
    """Draw the pictures and write the site file; gives its path."""
    Brightness.fits, Brightness.asked = 0, []
    for folder in ("images", "masks"):
        (root / "discs" / folder).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    lines = ["picture,light"]
    for number in range(discs + good):
        pixels = rng.integers(0, 40, (*SIZE, 3)).astype(np.uint8)
        mask = np.zeros(SIZE, dtype=np.uint8)
        if number < discs:
            x, y, radius = rng.integers(14, 34), rng.integers(12, 28), rng.integers(5, 9)
            inside = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
            pixels[inside] += np.uint8(180)
            mask[inside] = 1
        name = f"disc{number:02}" if number < discs else f"good{number:02}"
        Image.fromarray(pixels).save(root / "discs" / "images" / f"{name}.png")
        Image.fromarray(mask).save(root / "discs" / "masks" / f"{name}.png")
        lines.append(f"{name},{'day' if number % 2 else 'dusk'}")
    (root / "tags.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = root / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path
