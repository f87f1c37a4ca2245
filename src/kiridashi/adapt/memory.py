"""The samples that an adapting keeps for the next one: small pictures with their masks, as a few-shot set.

Replay of earlier samples is the plain and strong way against forgetting (Chaudhry et al., 2019,
arXiv 1902.10486).
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kiridashi.adapt.samples import Sample
from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.data.atomic import write_bytes, write_text
from kiridashi.data.masks import read_label_map
from kiridashi.data.pictures import read_picture

FOLDER = "samples"
MOST_KEPT = 24
# More would not be samples that this package wrote.
MOST_READ = 1000
META = "meta.json"


def keep(folder: Path, samples: Sequence[Sample], longest: int) -> int:
    """Write at most `MOST_KEPT` samples, spread over the classes; gives how many.

    Args:
        folder: `images/`, `masks/` and `meta.json` go there.
        samples: the newest last.
        longest: side in pixels that a picture is reduced to: the model sees no more.

    Raises:
        UsageError: a file cannot be written.
    """
    chosen = _spread(samples)
    items = []
    for number, sample in enumerate(chosen):
        picture, mask = _reduced(sample, longest)
        name = f"{number:03d}"
        write_bytes(folder / "images" / f"{name}.png", _png(picture))
        write_bytes(folder / "masks" / f"{name}.png", _png(mask))
        items.append({"id": name, "class": sample.label})
    write_text(folder / META, json.dumps({"classes": {}, "items": items}, ensure_ascii=False) + "\n")
    return len(chosen)


def recall(folder: Path) -> tuple[Sample, ...]:
    """The samples that `keep` wrote; none where there is no such folder.

    Raises:
        InputError: a file cannot be used.
    """
    if not (folder / META).is_file():
        return ()
    try:
        items = json.loads((folder / META).read_text(encoding="utf-8"))["items"][:MOST_READ]
        named = [(str(item["id"]), str(item["class"])) for item in items]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{folder / META}: not what adapt wrote ({error}); remove {folder}") from error
    found = []
    for name, label in named:
        if not name.isdigit():
            raise InputError(f"{folder / META}: {name!r} is no name that adapt wrote; remove {folder}")
        picture = read_picture(folder / "images" / f"{name}.png")
        mask = Mask.from_array(read_label_map(folder / "masks" / f"{name}.png") > 0)
        if mask.size != picture.size or mask.is_empty:
            raise InputError(f"{folder}: picture and mask {name} do not fit; remove the folder")
        found.append(Sample(picture, mask, label))
    return tuple(found)


def _spread(samples: Sequence[Sample]) -> list[Sample]:
    """The newest of each class in turn."""
    by_label: dict[str, list[Sample]] = {}
    for sample in samples:
        by_label.setdefault(sample.label, []).append(sample)
    chosen: list[Sample] = []
    while len(chosen) < MOST_KEPT and any(by_label.values()):
        for group in by_label.values():
            if group and len(chosen) < MOST_KEPT:
                chosen.append(group.pop())
    return chosen


def _reduced(sample: Sample, longest: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    pixels = np.asarray(sample.picture.pixels)
    inside = sample.mask.to_array().astype(np.uint8) * 255
    factor = longest / max(sample.picture.size)
    if factor >= 1:
        return pixels, inside
    height, width = (max(1, round(side * factor)) for side in sample.picture.size)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    share = cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA)
    # What is too thin to cover half of any pixel keeps its best-covered ones.
    level = min(128, int(share.max()))
    return np.asarray(small, np.uint8), np.where(share >= level, 255, 0).astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
