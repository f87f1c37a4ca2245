"""Decode a picture file to its samples, before they are read as colours or as a mask."""

import contextlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from kiridashi.core.errors import InputError
from kiridashi.data.files import check_file, reason_of, unusable

MAX_PIXELS = 100_000_000

# Formats that start another program or fetch a second file are left out on purpose.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_NAMES = "BMP, GIF, JPEG, PNG, PNM, TIFF or WebP"
_PLAIN_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "F"})
_STRAIGHT_ALPHA = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION, _BITS_PER_SAMPLE = 0x0112, 258


@dataclass(frozen=True, eq=False)
class Raster:
    """The samples of a file, upright.

    Attributes:
        samples: (H, W) or (H, W, C) of bool, integers or floats as stored; C is 2 for grey with
            alpha, 3 for RGB, 4 for RGB with alpha. Palette pictures are (H, W) indices.
        palette: (256, 4) uint8 RGBA, or None.
        lossy: whether the compression may have changed the values.
    """

    samples: NDArray[Any]
    palette: NDArray[np.uint8] | None = None
    lossy: bool = False


def load_raster(path: Path, max_pixels: int = MAX_PIXELS) -> Raster:
    """Decode the first picture in a file and turn it upright as its EXIF orientation says.

    The number of pixels is read from the header and checked before anything is decoded. Pillow's own
    ceiling (about 179 megapixels) holds as well.

    Raises:
        InputError: the file is missing, empty, not permitted, not a picture, damaged, cut short or
            too large; the text names the file and the reason on one line.
    """
    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(path, max_pixels)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise unusable(path, f"far more pixels than the limit of {_mega(max_pixels)} megapixels") from error
    except UnidentifiedImageError as error:
        raise unusable(path, f"not a picture that can be read ({_NAMES})") from error
    except PermissionError as error:
        raise unusable(path, "permission denied") from error
    except Exception as error:
        # A damaged file makes the codecs raise nearly anything: the file is at fault, not the program.
        raise unusable(path, f"damaged or cut short ({reason_of(error)})") from error


def read_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture file turned upright, from its header alone.

    Raises:
        InputError: the file is missing, empty, not permitted or not a picture.
    """
    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as image:
                turned = _orientation(image) in (5, 6, 7, 8)
                return (image.width, image.height) if turned else (image.height, image.width)
    except UnidentifiedImageError as error:
        if _starts_as_tiff(path):
            height, width = load_raster(path).samples.shape[:2]
            return height, width
        raise unusable(path, f"not a picture that can be read ({_NAMES})") from error
    except Exception as error:
        raise unusable(path, f"damaged or cut short ({reason_of(error)})") from error


def _decode(path: Path, max_pixels: int) -> Raster:
    try:
        image = Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError:
        if _starts_as_tiff(path):
            return _decode_wide_tiff(path, max_pixels)
        raise
    with image:
        _check_pixels(path, image.width, image.height, max_pixels)
        if _is_wide_tiff(image):
            # Pillow keeps the high byte only; some compressions only Pillow can read.
            with contextlib.suppress(ValueError, ImportError):
                return _decode_wide_tiff(path, max_pixels)
        lossy = image.format in ("JPEG", "MPO") or (image.format == "WEBP" and _is_lossy_webp(path))
        image.load()
        return _from_pillow(image, lossy)


def _from_pillow(image: Image.Image, lossy: bool) -> Raster:
    orientation = _orientation(image)
    if image.mode in _STRAIGHT_ALPHA:
        image = image.convert(_STRAIGHT_ALPHA[image.mode])
    elif image.mode in ("L", "RGB") and "transparency" in image.info:
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    elif image.mode not in _PLAIN_MODES and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    palette = _palette(image) if image.mode == "P" else None
    return Raster(_upright(np.asarray(image), orientation), palette, lossy)


def _palette(image: Image.Image) -> NDArray[np.uint8]:
    image.apply_transparency()
    table = np.zeros((256, 4), dtype=np.uint8)
    table[:, 3] = 255
    colours = np.array(image.getpalette("RGBA") or [], dtype=np.uint8).reshape(-1, 4)[:256]
    table[: len(colours)] = colours
    return table


def _orientation(image: Image.Image) -> int:
    # A damaged EXIF block must not cost the user the picture.
    with contextlib.suppress(Exception):
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def _upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation (1..8; 5 to 8 swap height and width)."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _check_pixels(path: Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise unusable(
            path,
            f"{width} x {height} pixels ({_mega(width * height)} megapixels) are more than the limit of "
            f"{_mega(max_pixels)}; scale the picture down or cut it into tiles",
        )


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:.4g}"


def _starts_as_tiff(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in _TIFF_MAGIC


def _is_lossy_webp(path: Path) -> bool:
    with path.open("rb") as stream:
        return b"VP8L" not in stream.read(64)


def _is_wide_tiff(image: Image.Image) -> bool:
    """Whether this is a TIFF of several channels with more than 8 bits each."""
    if image.format != "TIFF" or len(image.getbands()) < 2:
        return False
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
    return bool(max(bits) > 8)


def _decode_wide_tiff(path: Path, max_pixels: int) -> Raster:
    """The first page of a TIFF through tifffile; of more than four channels the first three."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        _check_pixels(path, page.imagewidth, page.imagelength, max_pixels)
        if page.samplesperpixel > 64:
            raise unusable(path, f"{page.samplesperpixel} channels a pixel; at most 64 can be read")
        samples = page.asarray()
        if page.axes == "SYX":
            samples = np.moveaxis(samples, 0, -1)
        elif page.axes not in ("YX", "YXS"):
            raise unusable(path, f"a TIFF page with axes {page.axes}; expected one flat picture")
        if page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
            raise unusable(path, "CMYK with more than 8 bits a channel; save it as RGB")
        orientation = page.tags.get(274)
        return Raster(_upright(_known_channels(samples), int(orientation.value) if orientation else 1))


def _known_channels(samples: NDArray[Any]) -> NDArray[Any]:
    if samples.ndim == 2:
        return samples
    channels = samples.shape[2]
    if channels == 1:
        return samples[..., 0]
    return samples[..., :3] if channels > 4 else samples
