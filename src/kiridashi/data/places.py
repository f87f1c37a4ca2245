"""From a file name in a label file to a picture inside the folder that it may name."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from kiridashi.core.errors import InputError
from kiridashi.data.targets import PICTURE_SUFFIXES

_DRIVE = re.compile(r"^[A-Za-z]:")
_SUFFIXES = sorted(PICTURE_SUFFIXES)


def folders_of(file: Path, pictures: Path | None) -> tuple[Path, ...]:
    """Where the pictures of a label file are looked for.

    Args:
        file: the label file.
        pictures: the folder that the user named; None: that of the file, and `images` in it.

    Raises:
        InputError: the named folder is none.
    """
    if pictures is not None:
        if not pictures.is_dir():
            raise InputError(f"{pictures}: expected the folder of the pictures; there is no such folder")
        return (pictures,)
    beside = file.parent / "images"
    return (file.parent, beside) if beside.is_dir() else (file.parent,)


def find_picture(written: str, folders: Sequence[Path]) -> Path:
    r"""The picture that a label file means.

    Its suffix may be missing. Of the absolute path of another computer (`C:\photos\crack\1.png`), the longest
    end that names a file counts.

    Args:
        written: the name in the file.
        folders: to look in; nothing outside of them is ever opened.

    Raises:
        InputError: no such picture, or one outside of the folders; the text has the reason alone.
    """
    if not written or "\0" in written:
        raise InputError("no picture is named")
    outside = False
    for folder in folders:
        root = os.path.realpath(folder)
        for place in _candidates(written, folder):
            if not _is_file(place):
                continue
            if Path(os.path.realpath(place)).is_relative_to(root):
                return place
            outside = True
    where = " or ".join("this folder" if folder == Path() else str(folder) for folder in folders)
    if outside:
        raise InputError(f"lies outside of {where}; name its folder with --pictures")
    raise InputError(
        f"there is no such picture in {where}; correct the name, or give the folder by --pictures"
    )


def _candidates(written: str, folder: Path) -> Iterator[Path]:
    name = written.replace("\\", "/")
    yield folder / written
    foreign = PurePosixPath(_DRIVE.sub("", name))
    if _DRIVE.match(name) or foreign.is_absolute():
        parts = [part for part in foreign.parts if part != "/"]
        for start in range(len(parts)):
            yield folder.joinpath(*parts[start:])
    elif name != written:
        yield folder / name
    if PurePosixPath(name).suffix.lower() not in PICTURE_SUFFIXES:
        for suffix in _SUFFIXES:
            yield folder / (name + suffix)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, for instance
        return False
