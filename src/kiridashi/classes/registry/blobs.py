"""Pictures as lossless PNG bytes and embeddings as little-endian floats."""

import io
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kiridashi.classes.registry.events import Matrix
from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.data.raster import MAX_PIXELS

MOST_BYTES = 128 * 2**20
FLOAT = np.dtype("<f4")


def picture_bytes(picture: Picture) -> bytes:
    """A picture as PNG.

    Raises:
        InputError: it takes more than `MOST_BYTES`.
    """
    from PIL import Image

    height, width = picture.size
    if height * width <= MAX_PIXELS:
        stream = io.BytesIO()
        Image.fromarray(picture.pixels).save(stream, "PNG")
        if stream.tell() <= MOST_BYTES:
            return stream.getvalue()
    raise InputError(
        f"{picture.name}: a picture of {width} x {height} pixels is too large for the registry "
        f"({MOST_BYTES // 2**20} MiB as PNG at most); crop it to the surroundings of the object"
    )


def read_picture_bytes(data: bytes, name: str, digest: str) -> Picture:
    """The picture of PNG bytes that `picture_bytes` made.

    Raises:
        InputError: the bytes are damaged or of another picture.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # Our own limit is the lower one.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                if image.mode != "RGB" or image.width * image.height > MAX_PIXELS:
                    raise ValueError("not an 8-bit RGB picture")
                picture = Picture(np.asarray(image), name)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{name}: the picture's bytes in the registry are damaged") from error
    if picture.digest != digest:
        raise InputError(f"{name}: the picture in the registry is not the one that was stored")
    return picture


def vector_bytes(vector: Matrix) -> bytes:
    """A (D,) vector as D little-endian 32-bit floats."""
    return vector.astype(FLOAT).tobytes()


def joined_vectors(blobs: Sequence[bytes]) -> Matrix:
    """All values of many vectors one after another in one array, read-only.

    Raises:
        InputError: a blob holds no whole number of values.
    """
    if any(len(blob) % FLOAT.itemsize or not blob for blob in blobs):
        raise InputError("an embedding in the registry is cut short")
    flat: NDArray[np.float32] = np.frombuffer(b"".join(blobs), FLOAT).astype(np.float32, copy=False)
    flat.flags.writeable = False
    return flat
