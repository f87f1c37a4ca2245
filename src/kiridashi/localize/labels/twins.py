"""Files of equal content, found without reading more of them than is needed."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path

HEAD = 2**16
_BLOCK = 2**20


def find_twins(paths: Sequence[Path]) -> list[list[int]]:
    """Groups of two and more places in `paths` whose files have the same bytes, each in order.

    Files that cannot be read are in no group: reading them as pictures will say why.
    """
    groups = [list(range(len(paths)))]
    steps: tuple[Callable[[Path], Hashable | None], ...] = (_size, partial(_digest, most=HEAD), _digest)
    for step in steps:
        groups = [part for group in groups for part in _split(group, paths, step)]
    return groups


def _split(
    group: Sequence[int], paths: Sequence[Path], step: Callable[[Path], Hashable | None]
) -> list[list[int]]:
    parts: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place in group:
        value = step(paths[place])
        if value is not None:
            parts[value].append(place)
    return [part for part in parts.values() if len(part) > 1]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _digest(path: Path, most: int | None = None) -> bytes | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            if most is not None:
                digest.update(stream.read(most))
            else:
                for block in iter(lambda: stream.read(_BLOCK), b""):
                    digest.update(block)
    except OSError:
        return None
    return digest.digest()
