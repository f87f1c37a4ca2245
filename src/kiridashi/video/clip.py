"""Where frames come from: a folder of pictures or a video file, one frame at a time."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.files import one_line
from kiridashi.data.pictures import read_picture
from kiridashi.data.targets import find_targets

# Of a clip that is a folder with its frames and their masks side by side.
FRAMES = "frames"


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a clip.

    Attributes:
        index: place in the clip, from 0.
        name: of the file, or of the video with the place.
        picture: None when it cannot be used.
        why: the reason then, else empty.
        seconds: when it is shown, from the start of a video; of a live source when it came, in Unix time;
            None where nobody knows.
    """

    index: int
    name: str
    picture: Picture | None
    why: str = ""
    seconds: float | None = None


class Clip(Protocol):
    """A source of frames that can be read again from its start."""

    @property
    def name(self) -> str:
        """What messages and output folders call it."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of all usable frames: that of the first.

        Raises:
            InputError: no frame can be used.
        """
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the frames: tells whether an earlier run was on this very clip."""
        ...

    @property
    def expected(self) -> int | None:
        """How many frames there should be; None where the source does not say."""
        ...

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The frames from `start` on, read one by one; a bad one comes without a picture."""
        ...


class FrameFolder:
    """The pictures of a folder in natural order (`2.png` before `10.png`); subfolders do not count.

    Args:
        path: the folder, or one that holds its frames in `frames/`.

    Attributes:
        name: of the folder.

    Raises:
        InputError: there are no pictures in it.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.resolve().name or "clip"
        files = _pictures_in(path)
        if not files and (path / FRAMES).is_dir():
            files = _pictures_in(path / FRAMES)
        if not files:
            raise InputError(one_line(f"{path}: no pictures in this folder; a clip is a folder of frames"))
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame that can be read."""
        first = ""
        for path in self._files:
            try:
                return read_picture(path).size
            except KiridashiError as error:
                first = first or str(error)
        raise InputError(
            f"{self.name}: none of its {len(self._files)} frames can be read; the first: {first}"
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over names, sizes in bytes and times of change of all files."""
        digest = hashlib.sha256()
        for path in self._files:
            try:
                status = path.stat()
                facts = (status.st_size, status.st_mtime_ns)
            except OSError:
                facts = (0, 0)
            digest.update(repr((path.name, facts)).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()

    @property
    def expected(self) -> int | None:
        """The number of files."""
        return len(self._files)

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The frames from `start` on."""
        for index, path in enumerate(self._files[start:], start):
            try:
                picture = read_picture(path)
            except KiridashiError as error:
                reason = one_line(str(error)).removeprefix(f"{one_line(str(path))}: ")
                yield Frame(index, path.name, None, reason)
            else:
                yield fitting(Frame(index, path.name, picture), self.size)


def open_clip(path: Path) -> Clip:
    """A folder of frames, or a video file.

    Raises:
        InputError: it is neither, or holds no frame.
        UsageError: nothing of this name is there, or reading videos needs a package that is not installed.
    """
    if path.is_dir():
        return FrameFolder(path)
    if not path.exists():
        raise UsageError(
            one_line(f"{path}: there is no such folder or file; name a folder of frames or a video")
        )
    from kiridashi.video.video_file import VideoFile

    return VideoFile(path)


def fitting(frame: Frame, size: tuple[int, int]) -> Frame:
    """The frame, without its picture if that is not of the clip's (height, width)."""
    if frame.picture is None or frame.picture.size == size:
        return frame
    height, width = frame.picture.size
    reason = f"the frame is {width} x {height} pixels and the clip {size[1]} x {size[0]}"
    return replace(frame, picture=None, why=reason)


def _pictures_in(folder: Path) -> list[Path]:
    try:
        found = find_targets([folder])
    except UsageError:
        return []
    return [target.path for target in found if target.path.parent == folder]
