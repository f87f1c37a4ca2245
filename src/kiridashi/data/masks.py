"""Read and write masks and label maps kept as picture files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import SizeMismatchError
from kiridashi.core.mask import Bitmap, Mask
from kiridashi.data.atomic import atomic_path
from kiridashi.data.files import unusable
from kiridashi.data.raster import Raster, load_raster

LabelMap = NDArray[np.int32]


def read_mask(path: str | Path, size: tuple[int, int] | None = None) -> Mask:
    """Read a mask from a picture file, turned upright by its EXIF orientation.

    - Grey, 1-bit, 16-bit and float: any non-zero value is inside (so 0/255 and 0/1 both work).
    - Palette: any index but 0 is inside, whatever its colour.
    - RGB: inside where any channel is non-zero.
    - With an alpha channel that varies: inside where it is at least half opaque, whatever the colour
      (a cut-out, or strokes on a transparent layer). A constant alpha channel says nothing.
    - JPEG and lossy WebP smear values around edges: inside from 128 on.

    Args:
        path: the file.
        size: (height, width) that the mask must have, usually its picture's.

    Raises:
        SizeMismatchError: the mask has another size than `size`.
        InputError: the file cannot be used.
    """
    path = Path(path)
    mask = Mask.from_array(_inside(load_raster(path)))
    if size is not None and mask.size != size:
        raise SizeMismatchError(size, mask.size, path.name)
    return mask


def read_label_map(path: str | Path) -> LabelMap:
    """Read an (H, W) int32 map of class or instance numbers; palette files give their indices.

    Raises:
        InputError: the file cannot be used, is JPEG or lossy WebP, has several channels that differ,
            or holds values that are not whole numbers of at most 31 bits.
    """
    path = Path(path)
    raster = load_raster(path)
    if raster.lossy:
        raise unusable(path, "lossy compression changes the numbers of a label map; save it as PNG")
    values = _single_channel(path, raster.samples)
    whole = values.astype(np.int64) if np.isfinite(values).all() else np.zeros_like(values)
    if (whole != values).any() or whole.min() < 0 or whole.max() > np.iinfo(np.int32).max:
        raise unusable(path, "a label map holds whole numbers from 0 to 2147483647")
    return whole.astype(np.int32)


def label_mask(label_map: NDArray[np.integer], value: int) -> Mask:
    """The mask of one number of a label map; empty when it does not occur."""
    return Mask.from_array(label_map == value)


def write_mask(path: str | Path, mask: Mask) -> None:
    """Write a mask atomically as an 8-bit grey PNG, 255 inside and 0 outside."""
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(mask.to_array().astype(np.uint8) * np.uint8(255)).save(temporary, format="PNG")


def write_label_map(path: str | Path, labels: NDArray[np.uint8]) -> None:
    """Write (H, W) uint8 labels atomically as an 8-bit grey PNG, each value as it is."""
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(labels).save(temporary, format="PNG")


def _inside(raster: Raster) -> Bitmap:
    samples = raster.samples
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        alpha = samples[..., -1]
        if alpha.min() != alpha.max():
            inside: Bitmap = alpha >= _half(alpha.dtype)
            return inside
        samples = samples[..., :-1]
    if samples.dtype.kind == "f":
        samples = np.nan_to_num(samples)
    hit: Bitmap = samples >= 128 if raster.lossy else samples != 0
    return np.asarray(hit.any(axis=2)) if hit.ndim == 3 else hit


def _half(dtype: np.dtype[Any]) -> float:
    return 0.5 if dtype.kind == "f" else np.iinfo(dtype).max / 2


def _single_channel(path: Path, samples: NDArray[Any]) -> NDArray[Any]:
    if samples.ndim == 2:
        return samples
    colour = samples[..., :-1] if samples.shape[2] in (2, 4) else samples
    if (colour != colour[..., :1]).any():
        raise unusable(path, "a label map has one channel of numbers, this one is coloured; save the indices")
    return colour[..., 0]
