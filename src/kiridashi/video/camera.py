"""Frames of a camera or a network stream by PyAV, as they come.

A stream does not wait. A thread of its own reads it and keeps the newest frame only, so that a tracker which
is slower than the camera sees the present and not a backlog that grows.
"""

import hashlib
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Condition, Event, Thread
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.files import one_line
from kiridashi.data.raster import MAX_PIXELS
from kiridashi.video.clip import Frame
from kiridashi.video.pyav import FORMATS, load_av, picture_of, why

DEVICE = "camera:"
# What a stream may open in turn: a hostile server must not have files of this machine read.
PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,udp,tcp,tls",
    "http": "http,tcp",
    "https": "https,http,tls,tcp",
    "tcp": "tcp",
    "udp": "udp",
    "srt": "srt",
}
STREAM_FORMATS = f"{FORMATS},rtsp,mpjpeg,mjpeg"
# Seconds without a picture after which a stream counts as stopped.
PATIENCE = 10.0
# Where a system keeps its cameras: PyAV's format, and the name of the camera with this number.
SYSTEMS = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}"),
    "win32": ("dshow", "video={}"),
}
STOPPED = "stopped"


def is_live(text: str) -> bool:
    """Whether this names a camera or a stream, and not a file."""
    return text.startswith(DEVICE) or text.partition("://")[0].lower() in PROTOCOLS


@dataclass(frozen=True)
class Address:
    """Where a stream is.

    Attributes:
        url: as FFmpeg wants it; it may hold a password and is never shown.
        shown: the same for people.
        name: for folders and progress bars.
        format: FFmpeg's, for a device; else None.
        options: of FFmpeg.
    """

    url: str
    shown: str
    name: str
    format: str | None
    options: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> "Address":
        """From `camera:0`, or a URL with one of the schemes of `PROTOCOLS`.

        Raises:
            UsageError: it is neither, or this system's cameras are not known.
        """
        if text.startswith(DEVICE):
            return _device(text)
        try:
            parts = urlsplit(text)
            host = parts.hostname or ""
        except ValueError as error:
            raise UsageError("the address of the stream is not a URL") from error
        scheme = parts.scheme.lower()
        if scheme not in PROTOCOLS or not host:
            raise UsageError(
                f"a stream is {', '.join(f'{name}://' for name in PROTOCOLS)}HOST... or {DEVICE}NUMBER"
            )
        place = host if parts.port is None else f"{host}:{parts.port}"
        shown = one_line(urlunsplit((scheme, place, parts.path, "", "")))
        options = {"protocol_whitelist": PROTOCOLS[scheme], "format_whitelist": STREAM_FORMATS}
        if scheme.startswith("rtsp"):
            # UDP loses packets, and most walls do not let it through.
            options["rtsp_transport"] = "tcp"
        return cls(text, shown, _plain(f"{place}{parts.path}"), None, options)


class Camera:
    """A live source of frames; it can be read once.

    Args:
        text: an address; see `Address.parse`.
        patience: seconds without a picture after which it counts as stopped.

    Attributes:
        name: for messages and folders, without a password.
        ending: why there are no more frames; empty while there are.

    Raises:
        UsageError: the address is none, or PyAV is not installed.
    """

    def __init__(self, text: str, patience: float = PATIENCE) -> None:
        self._address = Address.parse(text)
        self._av = load_av(f"{self._address.shown}: reading a camera")
        self._patience = patience
        self.name = self._address.name
        self.ending = ""
        self._newest = _Newest()
        self._first: _Arrived | None = None
        self._stop = Event()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame, for which it waits.

        Raises:
            InputError: none comes.
        """
        if self._first is None:
            Thread(target=self._read, name="camera", daemon=True).start()
            self._first = self._take()
            if self._first is None:
                raise InputError(f"{self._address.shown}: {self.ending}; is it on, and the address right?")
        return self._first.picture.size

    @property
    def fingerprint(self) -> str:
        """Of the address, without user and password."""
        return hashlib.sha256(self._address.shown.encode()).hexdigest()

    @property
    def expected(self) -> None:
        """Nobody knows."""

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The frames from now on, numbered from `start`, until the stream ends; then see `ending`."""
        size = self.size
        arrived = self._first
        index = start
        try:
            while arrived is not None:
                if arrived.picture.size != size:
                    self.ending = (
                        f"its pictures changed from {_by(size)} to {_by(arrived.picture.size)} pixels"
                    )
                    return
                name = f"{self.name} #{index}"
                yield Frame(index, name, arrived.picture, seconds=arrived.seconds)
                index += 1
                arrived = self._take()
        finally:
            self._stop.set()

    def stop(self) -> None:
        """Let `frames` end after the frame at work; for another thread or a signal's handler."""
        self._stop.set()
        self._newest.end(STOPPED)

    def _take(self) -> "_Arrived | None":
        if self._stop.is_set():
            self.ending = self.ending or STOPPED
            return None
        # Longer than the reader's own limit, which says more; for devices that block beyond it.
        arrived, ending = self._newest.take(1.5 * self._patience + 1)
        if arrived is None:
            self.ending = ending or self._silence()
            return None
        decoded, seconds = arrived
        if decoded.width * decoded.height > MAX_PIXELS:
            self.ending = f"pictures of {decoded.width} x {decoded.height} are more than can be read"
            return None
        return _Arrived(picture_of(decoded, self.name), seconds)

    def _read(self) -> None:
        """The thread: decode all, keep the newest."""
        address = self._address
        try:
            with self._av.open(
                address.url,
                format=address.format,
                options=address.options,
                timeout=self._patience,
                metadata_errors="replace",
            ) as container:
                if not container.streams.video:
                    self._newest.end("there are no pictures in this stream")
                    return
                self._decode(container)
            self._newest.end("the stream ended")
        except self._av.error.ExitError:
            self._newest.end(self._silence())
        except Exception as error:
            # Whatever it is, the frames so far are good, and the one who waits must hear of it.
            self._newest.end(f"it cannot be read ({why(error)})")

    def _decode(self, container: Any) -> None:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if self._stop.is_set():
                return
            try:
                frames = packet.decode()
            except self._av.InvalidDataError:
                # Who comes in the middle of a stream cannot read what refers to earlier pictures.
                continue
            for frame in frames:
                self._newest.put((frame, time.time()))

    def _silence(self) -> str:
        return f"no picture came for {self._patience:g} s"


@dataclass(frozen=True, eq=False)
class _Arrived:
    picture: Picture
    seconds: float


class _Newest:
    """Room for one thing: what comes takes the place of what nobody has fetched."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._held: tuple[Any, float] | None = None
        self._ending = ""

    def put(self, value: tuple[Any, float]) -> None:
        with self._changed:
            self._held = value
            self._changed.notify()

    def end(self, reason: str) -> None:
        """Nothing comes any more; what is held can still be fetched, and the first reason counts."""
        with self._changed:
            self._ending = self._ending or reason
            self._changed.notify()

    def take(self, seconds: float) -> tuple[tuple[Any, float] | None, str]:
        """The newest, for which it waits so long; or None and the reason, empty when nothing came."""
        with self._changed:
            self._changed.wait_for(lambda: self._held is not None or self._ending, seconds)
            held, self._held = self._held, None
            return held, self._ending


def _device(text: str) -> Address:
    number = text.removeprefix(DEVICE)
    if not number.strip():
        raise UsageError(f"{DEVICE}NUMBER lacks the number of the camera; the first is {DEVICE}0")
    if sys.platform not in SYSTEMS:
        raise UsageError(f"{text}: cameras of {sys.platform} are not known here; name a stream")
    layout, place = SYSTEMS[sys.platform]
    url = number if number.startswith("/dev/") else place.format(number)
    return Address(url, one_line(text), _plain(f"camera-{number}"), layout, {})


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:100] or "stream"


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"
