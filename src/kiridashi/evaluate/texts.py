"""What readers of sets share: lists in text files, names that stay inside a folder, and fingerprints."""

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from kiridashi.data.files import check_file, unusable

# The list of ILSVRC's training part has 1.3 million lines of some 30 characters.
MAX_LIST_BYTES = 2**27


def lines_of(path: Path) -> list[str]:
    """The lines of a text file that are not empty, without blanks around them.

    Raises:
        InputError: the file cannot be used.
    """
    check_file(path, MAX_LIST_BYTES)
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def table_of(path: Path) -> dict[str, str]:
    """First word to the rest, of each line of a text file.

    Raises:
        InputError: the file cannot be used, or a line has a single word.
    """
    table = {}
    for line in lines_of(path):
        first, _, rest = line.partition(" ")
        if not rest:
            raise unusable(path, f"expected two or more words a line, got {line[:60]!r}")
        table[first] = rest.strip()
    return table


def inside(folder: Path, name: str, source: Path) -> Path:
    """The file of a name in a folder.

    Raises:
        InputError: the name, which `source` gives, leaves the folder.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name or "\0" in name:
        raise unusable(source, f"the name {name[:80]!r} leaves the folder of the pictures")
    return folder / parts


def by_stem(folder: Path) -> dict[str, Path]:
    """The files of a folder by their names without ending; none when there is no such folder."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()}


def fingerprint(root: Path, paths: Iterable[Path]) -> str:
    """Changes when one of the files comes, goes or changes; by size and time, not by content."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file():
            status = path.stat()
            entry = (path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns)
            digest.update(repr(entry).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:16]
