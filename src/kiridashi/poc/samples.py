"""What the samples of a use case cover, and what they lack."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from kiridashi.core.errors import InputError
from kiridashi.data.sets import likeness
from kiridashi.data.sets.likeness import Look
from kiridashi.evaluate.pictures import Line
from kiridashi.evaluate.pictures.tags import Tags
from kiridashi.poc.findings import interval_under
from kiridashi.poc.rules import LEAST_WITH, LEAST_WITHOUT
from kiridashi.poc.site import SiteFile, UseCase
from kiridashi.poc.trial import SiteSet
from kiridashi.report.poc.document import Check, Condition

# Share of a picture below which an object is hard to see for a network that scales pictures down.
TINY = 5e-4
# Pictures of one camera are alike in size.
ALIKE = 1.5
NAMED = 6
# More pictures than this are not looked at for small objects and for twins.
LOOKED_AT = 400
MAX_TEXT_BYTES = 2**20
_LICENCE = re.compile(r"^\W*licen[cs]e\W*:\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Samples:
    """What is known of the pictures of a use case.

    Attributes:
        checks: of the checklist.
        licence: of the pictures; None: unknown.
    """

    checks: tuple[Check, ...]
    licence: str | None


def look(file: SiteFile, case: UseCase, source: SiteSet) -> Samples:
    """Go through the checklist.

    Raises:
        InputError: the tags or a picture cannot be used.
    """
    path, tags = file.inside(case.data.folder), source.tags
    licence = case.data.licence or licence_of(path if path.is_dir() else path.parent)
    checks = [
        _readable(source),
        _enough(case, source),
        _empty(source),
        _tagged(tags, source),
        *_planned(case, tags, source),
        *_sizes(source),
        _tiny(source),
        _twins(source),
        Check(case.data.people is not None, "people"),
        Check(licence is not None, "licence"),
    ]
    return Samples(tuple(checks), licence)


def conditions(
    case: UseCase, tags: Tags, source: SiteSet, lines: Sequence[Line], method: str
) -> list[Condition]:
    """Every value of every tag: planned ones first, with the IoU of a method where it was tested."""
    known = set(source.pictures)
    rows = []
    names = [*case.conditions.planned, *dict.fromkeys(key for of in tags.values() for key in of)]
    for name in dict.fromkeys(names):
        planned = case.conditions.planned.get(name, [])
        found = sorted({of[name] for of in tags.values() if name in of})
        for value in dict.fromkeys([*planned, *found]):
            held = {picture for picture in known if tags.get(picture, {}).get(name) == value}
            tested = [line for line in lines if line.key.picture in held and line.key.method == method]
            rows.append(Condition(name, value, len(held), interval_under(tested, method), value in planned))
    return rows


def unseen(case: UseCase, tags: Tags, source: SiteSet) -> list[str]:
    """Planned conditions without a picture, as "tag: value"."""
    seen = {(name, value) for picture in source.pictures for name, value in tags.get(picture, {}).items()}
    return [
        f"{name}: {value}"
        for name, values in case.conditions.planned.items()
        for value in values
        if (name, value) not in seen
    ]


def licence_of(folder: Path) -> str | None:
    """What meta.json or README.md of a set say of its licence; None: nothing."""
    meta = _text(folder / "meta.json")
    try:
        told: Any = json.loads(meta) if meta else {}
    except (ValueError, RecursionError):
        told = {}
    if isinstance(told, Mapping):
        for key in ("licence", "license"):
            if isinstance(told.get(key), str):
                return str(told[key])[:300]
    found = _LICENCE.search(_text(folder / "README.md"))
    return found.group(1).strip()[:300] if found else None


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > MAX_TEXT_BYTES:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _readable(source: SiteSet) -> Check:
    names = tuple(source.unreadable)
    return Check(not names, "readable", {"count": len(names), "names": names[:NAMED]})


def _enough(case: UseCase, source: SiteSet) -> Check:
    least = max(case.budget.shots) + LEAST_WITH
    short = [name for name, names in source.classes.items() if len(names) < least]
    return Check(not short, "enough", {"least": least, "names": tuple(short)})


def _empty(source: SiteSet) -> Check:
    count = len(source.free)
    return Check(count >= LEAST_WITHOUT, "empty", {"count": count, "least": LEAST_WITHOUT})


def _tagged(tags: Tags, source: SiteSet) -> Check:
    count = sum(bool(tags.get(picture)) for picture in source.pictures)
    return Check(count > 0, "tags", {"count": count})


def _planned(case: UseCase, tags: Tags, source: SiteSet) -> Iterator[Check]:
    if case.conditions.planned:
        missing = tuple(unseen(case, tags, source))
        yield Check(not missing, "planned", {"names": missing})


def _sizes(source: SiteSet) -> Iterator[Check]:
    sides = [side for path in _files(source) if (side := _long_side(path)) is not None]
    if sides:
        small, large = min(sides), max(sides)
        yield Check(large <= ALIKE * small, "sizes", {"small": small, "large": large})


def _files(source: SiteSet) -> list[Path]:
    return [source.files[name] for name in source.pictures if name in source.files]


def _long_side(path: Path) -> int | None:
    try:
        with Image.open(path) as image:
            return max(image.size)
    except (OSError, Image.DecompressionBombError):
        return None


def _coverage(source: SiteSet, name: str, label: str) -> float:
    try:
        return source.read(name, label).mask.coverage
    except InputError:  # told with the answers
        return 0.0


def _tiny(source: SiteSet) -> Check:
    pairs = [(name, label) for label, names in source.classes.items() for name in names][:LOOKED_AT]
    tiny = sum(0 < _coverage(source, name, label) < TINY for name, label in pairs)
    return Check(tiny == 0, "tiny", {"count": tiny, "share": TINY})


def _twins(source: SiteSet) -> Check:
    looks: list[Look] = []
    names: list[str] = []
    for path in _files(source)[:LOOKED_AT]:
        try:
            looks.append(likeness.look(path))
        except InputError:  # told with the answers
            continue
        names.append(path.name)
    twins = sorted({later for _, later in likeness.near_pairs(looks)})
    shown = tuple(names[place] for place in twins[:NAMED])
    return Check(not twins, "twins", {"count": len(twins), "names": shown})
