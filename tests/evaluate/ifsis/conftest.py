import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.mask import Mask

SIZE = (20, 40)
# Where the objects of a picture lie, by their number, and what colour is where.
PLACES = {1: (0, 10), 2: (12, 22), 3: (24, 34)}
COLOURS = {"bolt": (255, 0, 0), "nut": (0, 255, 0), "cog": (0, 0, 255)}


def _strip(number: int) -> Mask:
    full = np.zeros(SIZE, dtype=bool)
    full[5:15, slice(*PLACES[number])] = True
    return Mask.from_array(full)


@pytest.fixture
def strip() -> Callable[[int], Mask]:
    """The mask of place 1, 2 or 3."""
    return _strip


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., Path]:
    """make_set({"a": {1: "bolt", 2: "nut"}}, **more): a folder; place n has its class's colour."""

    def make(pictures: dict[str, dict[int, str]], name: str = "parts", **more: Any) -> Path:
        folder = tmp_path / name
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        for stem, labels in pictures.items():
            pixels = np.full((*SIZE, 3), 90, dtype=np.uint8)
            numbers = np.zeros(SIZE, dtype=np.uint8)
            for number, label in labels.items():
                pixels[_strip(number).to_array()] = COLOURS[label]
                numbers[_strip(number).to_array()] = number
            Image.fromarray(pixels).save(folder / "images" / f"{stem}.png")
            Image.fromarray(numbers).save(folder / "masks" / f"{stem}.png")
        items = [{"id": stem, "instances": labels} for stem, labels in pictures.items()]
        (folder / "meta.json").write_text(json.dumps({"items": items, **more}))
        return folder

    return make
