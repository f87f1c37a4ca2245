"""PyAV, which the extra `video` installs: how it is found, and how its frames become pictures."""

import importlib
from typing import Any

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.files import one_line

# Play lists and the like, which fetch other files, are left out on purpose.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,gif,h264,hevc"


def load_av(what: str) -> Any:
    """The package `av`.

    Args:
        what: it is needed for, with what helps otherwise; goes into the message.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise UsageError(one_line(f"{what} needs PyAV: pip install 'kiridashi[video]'")) from error


def picture_of(decoded: Any, name: str) -> Picture:
    """A decoded frame as 8-bit RGB, turned upright as its metadata says."""
    pixels = decoded.to_ndarray(format="rgb24")
    quarter_turns = round(getattr(decoded, "rotation", 0) / 90)
    return Picture(np.ascontiguousarray(np.rot90(pixels, quarter_turns)), name)


def why(error: BaseException) -> str:
    """A few words for an error of FFmpeg, without the address, which may hold a password."""
    text = getattr(error, "strerror", None) or type(error).__name__
    return one_line(str(text)).lower()
