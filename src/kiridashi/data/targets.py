"""Turn files, folders and patterns into an ordered list of pictures with unique output names."""

import difflib
import glob
import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from kiridashi.core.errors import UsageError
from kiridashi.data.files import one_line

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"}
    | {".gif", ".pbm", ".pgm", ".ppm", ".pnm"}
)
_SUFFIX_HINT = ".jpg, .png, .webp, .bmp, .tif ..."

# Room for a suffix and a temporary name within the 255 bytes of common file systems.
_MAX_STEM_BYTES = 160
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)


@dataclass(frozen=True)
class Target:
    """A picture to work on.

    Attributes:
        path: the file, as the user wrote it or as found below the folder the user wrote.
        stem: name for its outputs, without suffix; unique among the targets also where letter case
            makes no difference, and a valid file name on every system.
    """

    path: Path
    stem: str


def find_targets(arguments: Sequence[str | Path], exclude: Sequence[str | Path] = ()) -> list[Target]:
    """The pictures that files, folders and patterns stand for, in the order given.

    A named file is kept whatever its suffix. Folders are searched to the bottom, in natural order
    (`2.png` before `10.png`), for files with a picture's suffix; hidden files and folders are left
    out. Patterns may use `*`, `?`, `[...]` and `**`. A file that is met twice counts once.

    A stem is the file's own where it is unique. Where several share one, all of them get as many
    parent folders in front as tell them apart (`a_part`, `b_part`), or their suffix behind when
    only that differs (`part_jpg`, `part_png`); what is still equal gets a digest of its path. So the
    stems depend on the set of files and not on their order.

    Args:
        arguments: paths and patterns.
        exclude: folders (an output folder, for instance) that a search does not enter.

    Raises:
        UsageError: there are no arguments, or one of them stands for no picture.
    """
    if not arguments:
        raise UsageError("no pictures given; name files, folders or patterns such as 'photos/*.jpg'")
    barred = {os.path.realpath(folder) for folder in exclude}
    unique: dict[str, Path] = {}
    for argument in arguments:
        for path in _expand(str(argument), barred):
            # The folder is resolved but not the file: links under two names are two pictures.
            place = os.path.normcase(Path(os.path.realpath(path.parent), path.name))
            unique.setdefault(place, path)
    stems = _unique_stems([Path(place) for place in unique], [path.name for path in unique.values()])
    return [Target(path, stem) for path, stem in zip(unique.values(), stems, strict=True)]


def _expand(argument: str, barred: set[str]) -> list[Path]:
    path = Path(argument)
    if "\0" in argument or not argument:
        raise UsageError(f"not a path: {one_line(argument)!r}")
    if _is_folder(path):
        found = list(_walk(path, barred))
    elif os.path.lexists(path):
        return [path]
    elif glob.has_magic(argument):
        found = list(_match(argument, barred))
    else:
        raise UsageError(one_line(f"{argument}: there is no such file or folder{_nearest(path)}"))
    if not found:
        raise UsageError(one_line(f"{argument}: no pictures there (looked for {_SUFFIX_HINT})"))
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, for instance
        return False


def _walk(folder: Path, barred: set[str]) -> Iterator[Path]:
    """Pictures below a folder: its own files first, then folder by folder."""
    for root, folders, files in os.walk(folder):
        if os.path.realpath(root) in barred:
            folders.clear()
            continue
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=_natural)
        for name in sorted(files, key=_natural):
            if _is_picture_name(name):
                yield Path(root, name)


def _match(pattern: str, barred: set[str]) -> Iterator[Path]:
    # Path.glob takes no absolute patterns.
    for match in sorted(glob.glob(pattern, recursive=True), key=_natural):  # noqa: PTH207
        path = Path(match)
        if path.is_dir():
            # A recursive pattern lists every folder below on its own.
            if "**" not in pattern:
                yield from _walk(path, barred)
        elif _is_picture_name(path.name) and not any(
            os.path.realpath(parent) in barred for parent in path.parents
        ):
            yield path


def _is_picture_name(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key that reads digits as numbers; the name itself settles ties."""
    pieces = re.split(r"([0-9]+)", name.casefold())
    return [
        (int(piece), "") if piece[:1].isdigit() and piece.isascii() else (-1, piece) for piece in pieces
    ], name


def _nearest(path: Path) -> str:
    try:
        names = [entry.name for entry in islice(path.parent.iterdir(), 10_000)]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.with_name(near[0])}?" if near else ""


def _unique_stems(paths: list[Path], names: list[str]) -> list[str]:
    """One stem a path; `paths` are absolute and distinct, `names` are their file names as written."""
    stems = [safe_stem(Path(name).stem) for name in names]
    for group in _clashes(stems):
        for index, stem in zip(group, _qualified([paths[i] for i in group]), strict=True):
            stems[index] = stem
    for length in (8, 64):
        for group in _clashes(stems):
            for index in group:
                digest = hashlib.sha256(os.fsencode(paths[index])).hexdigest()
                stems[index] = f"{stems[index]}-{digest[:length]}"
    return stems


def _clashes(stems: Iterable[str]) -> list[list[int]]:
    """Indices of stems that a file system may take for the same."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, stem in enumerate(stems):
        groups[_fold(stem)].append(index)
    return [group for group in groups.values() if len(group) > 1]


def _qualified(paths: list[Path]) -> list[str]:
    folders = {path.parent for path in paths}
    depth = _telling_depth(folders)
    with_suffix = len(folders) < len(paths)
    return [safe_stem(_join(path, depth, with_suffix)) for path in paths]


def _telling_depth(folders: set[Path]) -> int:
    """How many last parts tell the folders apart; all of them when letter case alone does."""
    if len(folders) == 1:
        return 0
    parts = [tuple(_fold(part) for part in folder.parts) for folder in folders]
    depths = range(1, max(len(part) for part in parts))
    return next((depth for depth in depths if len({part[-depth:] for part in parts}) == len(parts)), 1)


def _join(path: Path, depth: int, with_suffix: bool) -> str:
    folders = path.parent.parts[1:][-depth:] if depth else ()
    suffix = (path.suffix[1:],) if with_suffix and path.suffix else ()
    return "_".join([*folders, path.stem, *suffix])


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def safe_stem(stem: str) -> str:
    """A name that every common file system takes; clashes that this makes are settled by the caller.

    Args:
        stem: a file name without folders and suffix.
    """
    text = stem.encode("utf-8", "replace").decode("utf-8")
    text = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", text).strip(" .")
    text = text.encode("utf-8")[:_MAX_STEM_BYTES].decode("utf-8", "ignore").rstrip(" .")
    if text.split(".")[0].casefold() in _RESERVED:
        text = f"_{text}"
    return text or "picture"
