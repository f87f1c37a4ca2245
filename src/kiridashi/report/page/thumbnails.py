"""Small pictures inside the report."""

import base64
import io
from pathlib import Path

from PIL import Image

from kiridashi.core.picture import Rgb

QUALITY = 80


def embed(pixels: Rgb, side: int) -> str:
    """A `data:` address of (H, W, 3) pixels as a JPEG of at most `side` pixels each way."""
    return _address(Image.fromarray(pixels), side)


def embed_file(path: Path, side: int) -> str | None:
    """The same of a JPEG file that we wrote; None when it is gone."""
    try:
        with Image.open(path) as image:
            # The decoder itself scales down by 2, 4 or 8: most of the time goes there.
            image.draft("RGB", (side, side))
            return _address(image.convert("RGB"), side)
    except OSError:
        return None


def _address(image: Image.Image, side: int) -> str:
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
