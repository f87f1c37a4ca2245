"""Frames of a video file by PyAV, which the extra `video` installs."""

import importlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.files import check_file, reason_of, unusable
from kiridashi.data.raster import MAX_PIXELS
from kiridashi.video.clip import Frame, fitting

# Play lists and the like, which fetch other files, are left out on purpose.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,gif,h264,hevc"


class VideoFile:
    """The first video stream of a file.

    Args:
        path: the file.

    Attributes:
        name: of the file, without suffix.

    Raises:
        InputError: it is no video that can be read.
        UsageError: PyAV is not installed.
    """

    def __init__(self, path: Path) -> None:
        check_file(path)
        self._av = _load_av(path)
        self._path = path
        self.name = path.stem
        with self._open() as container:
            stream = container.streams.video[0]
            width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > MAX_PIXELS:
                raise unusable(path, f"frames of {width} x {height} pixels are more than can be read")
            self._expected = _count(stream)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame that can be decoded."""
        for frame in self._decoded(0):
            if frame.picture is not None:
                return frame.picture.size
        raise unusable(self._path, "none of its frames can be decoded")

    @property
    def fingerprint(self) -> str:
        """Size in bytes and time of change of the file."""
        status = self._path.stat()
        return f"{status.st_size} {status.st_mtime_ns}"

    @property
    def expected(self) -> int | None:
        """What the file says, or its duration gives; the truth may differ by a few."""
        return self._expected

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The frames from `start` on; those before are decoded and dropped."""
        return (fitting(frame, self.size) for frame in self._decoded(start))

    def _decoded(self, start: int) -> Iterator[Frame]:
        index = 0
        with self._open() as container:
            stream = container.streams.video[0]
            for packet in self._packets(container, stream):
                for decoded in self._decode(packet):
                    if index >= start:
                        yield self._frame(index, decoded)
                    index += 1

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        try:
            yield from container.demux(stream)
        except self._av.FFmpegError:
            # A file that was cut short ends here.
            return

    def _decode(self, packet: Any) -> list[Any]:
        """The frames of a packet; a damaged one stands for one frame."""
        try:
            return list(packet.decode())
        except self._av.FFmpegError as error:
            return [error]

    def _frame(self, index: int, decoded: Any) -> Frame:
        name = f"{self._path.name} #{index}"
        if isinstance(decoded, Exception):
            return Frame(index, name, None, f"damaged ({reason_of(decoded)})")
        pixels = decoded.to_ndarray(format="rgb24")
        quarter_turns = round(getattr(decoded, "rotation", 0) / 90)
        return Frame(index, name, Picture(np.ascontiguousarray(np.rot90(pixels, quarter_turns)), name))

    def _open(self) -> Any:
        options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        try:
            container = self._av.open(str(self._path), options=options, metadata_errors="replace")
        except (self._av.FFmpegError, ValueError) as error:
            raise unusable(self._path, f"not a video that can be read ({reason_of(error)})") from error
        if not container.streams.video:
            container.close()
            raise InputError(f"{self._path}: there are no pictures in this file, only sound or data")
        return container


def _load_av(path: Path) -> Any:
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise UsageError(
            f"{path}: reading a video file needs PyAV: pip install 'kiridashi[video]'; "
            "or name a folder with its frames as pictures"
        ) from error


def _count(stream: Any) -> int | None:
    if stream.frames:
        return int(stream.frames)
    if stream.duration and stream.time_base and stream.average_rate:
        expected: int = round(stream.duration * stream.time_base * stream.average_rate)
        return expected
    return None
