"""The masks of a picture that one will be chosen from, kept by content: none is decoded twice."""

import hashlib
import json
from collections import OrderedDict
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.rle import decode_rle
from kiridashi.data.atomic import write_bytes
from kiridashi.models.fingerprint import model_fingerprint
from kiridashi.models.grid import Gallery, GridSettings, gallery
from kiridashi.models.promptable import PromptableModel

Points = NDArray[np.bool_]

FORMAT = "kiridashi-gallery-1"
# Below the cache folder, one level deep, where `data.cache_folder.trim` finds them.
FOLDER = "galleries"
# A picture is looked at with several settings in a row; more than a few are not needed again soon.
MOST_IN_MEMORY = 8
# No gallery of run lengths comes near this; a larger file is none of ours.
LARGEST_FILE = 1 << 28
MOST_MASKS = 1 << 14


class Galleries:
    """Galleries of pictures for one model and one grid.

    Args:
        model: its decoder draws the masks; its weights are taken as they are at the first use.
        grid: default: 16 x 16 points and the model's own thresholds.
        cache: a cache folder (see `data.cache_folder.open_cache`, which also bounds it); None keeps the last
            few galleries in memory only. Deleting it or any file in it does no harm.
    """

    def __init__(
        self, model: PromptableModel, grid: GridSettings | None = None, cache: Path | None = None
    ) -> None:
        self.model, self.grid = model, grid or GridSettings()
        self._cache = cache
        self._recent: OrderedDict[str, Gallery] = OrderedDict()

    def of(self, picture: Picture, wanted: Points | None = None) -> Gallery:
        """The gallery of a picture: remembered, read, or made and kept; equal whichever way.

        The tokens have the precision of float16, in which they are kept. A damaged file is made anew.

        Args:
            picture: which.
            wanted: (side, side) the points of the grid to decode; None: all.

        Raises:
            UsageError: the model's mask decoder is not trained, or the cache cannot be written.
        """
        key = self.key(picture, wanted)
        found = self._recent.pop(key, None) or self._read(key, picture.size)
        if found is None:
            found = self._made(picture, wanted)
            self._write(key, found)
        self._recent[key] = found
        while len(self._recent) > MOST_IN_MEMORY:
            self._recent.popitem(last=False)
        return found

    def key(self, picture: Picture, wanted: Points | None = None) -> str:
        """SHA-256 of all that decides a picture's gallery."""
        grid, limits = self.grid, self.grid.thresholds(self.model.card.grid)
        parts = {
            "format": FORMAT,
            "picture": picture.digest,
            "model": self._fingerprint,
            "points": grid.points_per_side,
            "wanted": None if wanted is None else np.packbits(wanted).tobytes().hex(),
            "thresholds": [limits.predicted_iou, limits.stability],
            "offset": grid.stability_offset,
            "box": grid.box_iou,
            # Skipping begins between batches: only then does their size count.
            "skipping": [True, grid.batch] if grid.skip_covered else [False],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def path(self, picture: Picture, wanted: Points | None = None) -> Path | None:
        """Where a picture's gallery is, or would be; None without a cache."""
        return self._cache and self._file(self._cache, self.key(picture, wanted))

    @cached_property
    def _fingerprint(self) -> str:
        return model_fingerprint(self.model)

    def _made(self, picture: Picture, wanted: Points | None) -> Gallery:
        self.model.require("mask_decoder", "a gallery of masks")
        found = gallery(self.model, self.model.encode(picture), self.grid, wanted)
        # With a least stability of 0 the grid may give masks without a pixel.
        rows = [row for row, mask in enumerate(found.masks) if not mask.is_empty]
        return replace(
            found,
            masks=tuple(found.masks[row] for row in rows),
            tokens=found.tokens[rows].half().float(),
            predicted_iou=found.predicted_iou[rows],
            stability=found.stability[rows],
            points=found.points[rows],
        )

    def _read(self, key: str, size: tuple[int, int]) -> Gallery | None:
        if self._cache is None:
            return None
        path = self._file(self._cache, key)
        try:
            if path.stat().st_size > LARGEST_FILE:
                return None
            return unpack(path.read_bytes(), size)
        except (OSError, InputError):
            return None

    def _write(self, key: str, found: Gallery) -> None:
        if self._cache is not None:
            write_bytes(self._file(self._cache, key), pack(found))

    @staticmethod
    def _file(cache: Path, key: str) -> Path:
        return cache / FOLDER / f"{key}.safetensors"


def pack(found: Gallery) -> bytes:
    """A gallery as one safetensors file: masks as COCO run lengths of their crops, tokens as float16."""
    from safetensors.torch import save

    texts = [Mask(mask.bitmap, (0, 0), mask.bitmap.shape).to_rle()["counts"].encode() for mask in found.masks]
    tensors = {
        "facts": torch.tensor([*found.size, found.decoded], dtype=torch.int64),
        "boxes": torch.tensor([mask.box for mask in found.masks], dtype=torch.int64).reshape(-1, 4),
        "ends": torch.from_numpy(np.cumsum([len(text) for text in texts], dtype=np.int64)),
        "counts": torch.from_numpy(np.frombuffer(b"".join(texts), dtype=np.uint8).copy()),
        "tokens": found.tokens.half().contiguous(),
        "predicted_iou": torch.from_numpy(found.predicted_iou),
        "stability": torch.from_numpy(found.stability),
        "points": torch.from_numpy(np.ascontiguousarray(found.points)),
    }
    return save(tensors, metadata={"format": FORMAT})


def unpack(content: bytes, size: tuple[int, int]) -> Gallery:
    """The gallery of a `pack`.

    Args:
        content: of the file.
        size: (height, width) that its picture must have.

    Raises:
        InputError: not such a file, a damaged one, or one of a picture of another size.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        parts = load(content)
        facts = parts["facts"].tolist()
        masks = _masks(parts["boxes"], parts["ends"], parts["counts"], size)
        numbers = [parts[name] for name in ("predicted_iou", "stability", "points", "tokens")]
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"a kept gallery is damaged ({error})") from error
    whole = all(len(each) == len(masks) and bool(torch.isfinite(each).all()) for each in numbers)
    iou, stability, points, tokens = numbers
    if facts[:2] != list(size) or len(facts) != 3 or not whole or not _shaped(iou, stability, points, tokens):
        raise InputError("a kept gallery is damaged, or of another picture")
    return Gallery(
        size,
        masks,
        tokens.float(),
        iou.double().numpy(),
        stability.double().numpy(),
        points.numpy(),
        facts[2],
    )


def _shaped(iou: Tensor, stability: Tensor, points: Tensor, tokens: Tensor) -> bool:
    kinds = [each.dtype for each in (iou, stability, points)]
    return kinds == [torch.float64] * 3 and (iou.ndim, stability.ndim, points.shape[1:], tokens.ndim) == (
        1,
        1,
        (2,),
        2,
    )


def _masks(boxes: Tensor, ends: Tensor, counts: Tensor, size: tuple[int, int]) -> tuple[Mask, ...]:
    """Masks from their boxes and run lengths, with every box checked to lie in the picture."""
    corners: NDArray[np.int64] = boxes.numpy()
    if corners.shape != (ends.numel(), 4) or counts.dtype != torch.uint8 or len(corners) > MOST_MASKS:
        raise InputError("a kept gallery is damaged")
    text, masks, start = counts.numpy().tobytes(), [], 0
    for (x0, y0, x1, y1), end in zip(corners.tolist(), ends.tolist(), strict=True):
        if not (0 <= x0 < x1 <= size[1] and 0 <= y0 < y1 <= size[0] and start < end <= len(text)):
            raise InputError("a kept gallery is damaged: a mask lies outside of its picture")
        crop = Mask.from_array(decode_rle({"size": [y1 - y0, x1 - x0], "counts": text[start:end]}))
        if crop.bitmap.shape != (y1 - y0, x1 - x0):
            raise InputError("a kept gallery is damaged: a mask does not fill its box")
        masks.append(Mask(crop.bitmap, (x0, y0), size))
        start = end
    return tuple(masks)
