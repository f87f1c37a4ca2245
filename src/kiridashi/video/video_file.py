"""Frames of a video file by PyAV, which the extra `video` installs."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from kiridashi.core.errors import InputError
from kiridashi.data.files import check_file, reason_of, unusable
from kiridashi.data.raster import MAX_PIXELS
from kiridashi.video.clip import Frame, fitting
from kiridashi.video.pyav import FORMATS, load_av, picture_of

# Frames that may lack of what a file says, before it counts as cut off: durations are rounded.
SPARE, SPARE_SHARE = 2, 0.02


class VideoFile:
    """The first video stream of a file.

    Args:
        path: the file.

    Attributes:
        name: of the file, without suffix.
        ending: after the last frame, whether some are missing; else empty.

    Raises:
        InputError: it is no video that can be read.
        UsageError: PyAV is not installed.
    """

    def __init__(self, path: Path) -> None:
        check_file(path)
        self._av = load_av(f"{path}: reading a video file (a folder with its frames as pictures does not)")
        self._path = path
        self._torn = False
        self.name = path.stem
        self.ending = ""
        with self._open() as container:
            stream = container.streams.video[0]
            width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > MAX_PIXELS:
                raise unusable(path, f"frames of {width} x {height} pixels are more than can be read")
            self._expected = _count(container, stream, self._av.time_base)

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
        self._torn = False
        with self._open() as container:
            stream = container.streams.video[0]
            for packet in self._packets(container, stream):
                for decoded in self._decode(packet):
                    if index >= start:
                        yield self._frame(index, decoded)
                    index += 1
        missing = (self._expected or 0) - index
        if self._torn or missing > SPARE + SPARE_SHARE * index:
            self.ending = f"it should have {self._expected or 'more'} frames and is cut off or damaged"

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        try:
            yield from container.demux(stream)
        except self._av.FFmpegError:
            # A file that was cut short ends here.
            self._torn = True

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
        return Frame(index, name, picture_of(decoded, name), seconds=decoded.time)

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


def _count(container: Any, stream: Any, ticks: int) -> int | None:
    if stream.frames:
        return int(stream.frames)
    if stream.duration and stream.time_base and stream.average_rate:
        return _rounded(stream.duration * stream.time_base * stream.average_rate)
    # Matroska tells it of the file as a whole.
    if container.duration and stream.average_rate:
        return _rounded(container.duration * stream.average_rate / ticks)
    return None


def _rounded(frames: Fraction) -> int:
    return round(frames)
