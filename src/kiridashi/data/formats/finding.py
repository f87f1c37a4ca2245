"""From what an annotation file calls a picture to a name that is safe, its file and its size."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kiridashi.core.errors import InputError
from kiridashi.data.files import one_line
from kiridashi.data.formats.faults import Fault, problem
from kiridashi.data.formats.model import Problem
from kiridashi.data.places import find_picture
from kiridashi.data.raster import MAX_PIXELS, read_size

_DRIVE = re.compile(r"^[A-Za-z]:")
_MAX_NAME = 1000


@dataclass(frozen=True)
class Found:
    """Where a picture is.

    Attributes:
        name: as in `AnnotatedPicture`.
        path: its file; None when there is none inside of the folders.
        size: (height, width), stated or else of the file; None when neither says.
        problems: with any of this.
    """

    name: str
    path: Path | None
    size: tuple[int, int] | None
    problems: list[Problem] = field(default_factory=list)


def find(written: object, folders: Sequence[Path], stated: tuple[object, object] | None = None) -> Found:
    """Look for a picture.

    Args:
        written: what the file calls it.
        folders: that it may be in; nothing outside is opened.
        stated: height and width in the file; None where the format states none.
    """
    text = written if isinstance(written, str) else ""
    name, path = safe_name(text), None
    problems = []
    try:
        path = _search(text[:_MAX_NAME], name, folders)
        name = _below(path, folders)
    except InputError as error:
        kind = "outside-folder" if "outside" in str(error) else "missing-file"
        problems.append(Problem(kind, name, f"{one_line(text)[:120]!r}: {error}"))
    size, more = _size(stated, path, name)
    return Found(name, path, size, problems + more)


def _search(written: str, safe: str, folders: Sequence[Path]) -> Path:
    try:
        return find_picture(written, folders)
    except InputError:
        # Annotations kept in a folder of their own write `../photos/1.png`.
        if ".." not in PurePosixPath(written.replace("\\", "/")).parts:
            raise
        try:
            return find_picture(safe, folders)
        except InputError:
            pass
        raise


def safe_name(written: str) -> str:
    """A relative path with `/` that stays below any folder: without drive, `..` and control characters."""
    plain = _DRIVE.sub("", one_line(written[:_MAX_NAME]).replace("\\", "/"))
    parts = [part for part in PurePosixPath(plain).parts if part not in ("/", "..", ".")]
    if plain.startswith("/") or ".." in PurePosixPath(plain).parts or plain != written.replace("\\", "/"):
        # A path of another computer: its folders mean nothing here.
        parts = parts[-1:]
    return "/".join(parts) or "picture"


def _below(path: Path, folders: Sequence[Path]) -> str:
    for folder in folders:
        if path.is_relative_to(folder):
            return safe_name(path.relative_to(folder).as_posix())
    return safe_name(path.name)


def _size(
    stated: tuple[object, object] | None, path: Path | None, name: str
) -> tuple[tuple[int, int] | None, list[Problem]]:
    try:
        if stated is not None and stated != (None, None):
            return checked_size(stated), []
        if path is None:
            raise Fault("no-size", "neither the annotations nor a file say how large the picture is")
        return read_size(path), []
    except InputError as error:
        kind = error.kind if isinstance(error, Fault) else "unreadable"
        return None, [problem(name, Fault(kind, str(error)))]


def checked_size(stated: tuple[object, object]) -> tuple[int, int]:
    """(height, width) that a file states.

    Raises:
        Fault: not two whole numbers from 1 on, or more pixels than can be worked on.
    """
    height, width = stated
    if type(height) is not int or type(width) is not int or height < 1 or width < 1:
        raise Fault("no-size", f"height and width are whole numbers from 1 on, got {str(stated)[:60]}")
    if height * width > MAX_PIXELS:
        raise Fault(
            "size-limit",
            f"{width} x {height} pixels are stated, more than the limit of {MAX_PIXELS // 10**6} megapixels",
        )
    return height, width
