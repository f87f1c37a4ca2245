"""Masks out as pseudo-labels: samples for `classes add`, and a list of what a person should look at first.

pseudo/CLASS/images/STEM.jpg    the picture as it was, once for each object
pseudo/CLASS/masks/STEM.png     the object
review.csv                      a row an object, the most doubtful first
"""

import csv
import io
import json
import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.data.atomic import atomic_path, write_bytes, write_json
from kiridashi.data.files import one_line, reason_of
from kiridashi.data.masks import write_mask
from kiridashi.localize.choosing import Source

PSEUDO, REVIEW = "pseudo", "review.csv"
# Hidden, for what lies beside the folders of the classes would be read as annotations.
WRITTEN = ".written.json"
# What the coarse region is trusted beside a mask that matches perfectly.
COARSE_TRUST = 0.25
MOST_NAME_BYTES = 80
COLUMNS = ("doubt", "picture", "class", "class_score", "match", "source", "why", "sample", "mask")
_TAKEN = frozenset({"images", "masks", "mask"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, eq=False)
class PseudoLabel:
    """One object that was found, with what speaks for it.

    Attributes:
        file: the picture.
        stem: name of its outputs.
        label: class of the object; None: nothing was found in the picture.
        class_score: of the class, or of the likeliest one where nothing was found.
        match: likeness of the mask to the coarse map.
        source: where the mask came from.
        why: in words.
        doubt: 0..1.
        mask: of the object; None where nothing was found.
    """

    file: str
    stem: str
    label: str | None
    class_score: float
    match: float
    source: str
    why: str
    doubt: float
    mask: Mask | None


def doubt_of(class_score: float, match: float, source: Source) -> float:
    """How much a mask needs a look: 0 not at all, 1 the most.

    One minus the class's score times how well the mask fits: its match with the coarse map or, where the
    coarse region had to stay, `COARSE_TRUST`.

    Args:
        class_score: 0..1.
        match: likeness of the chosen mask to the coarse map, at most 1.
        source: of the mask.
    """
    fit = COARSE_TRUST if source == "coarse" else max(0.0, match)
    return float(min(max(1 - class_score * fit, 0.0), 1.0))


def doubt_of_nothing(score: float, threshold: float) -> float:
    """How much a picture needs a look in which nothing was found: the nearer to its threshold, the more.

    Args:
        score: of the class that came nearest, 0..1.
        threshold: of this class, 0..1.
    """
    return float(min(max(score / threshold, 0.0), 1.0)) / 2 if threshold > 0 else 0.0


def write_review(folder: Path, labels: Iterable[PseudoLabel]) -> Path:
    """Write the samples and `review.csv`; samples of an earlier call that are gone now are removed.

    Args:
        folder: of the run; `pseudo` and `review.csv` are made in it.
        labels: of all pictures.

    Returns:
        The list, UTF-8 with a byte order mark as spreadsheets want it.

    Raises:
        UsageError: a file cannot be written.
    """
    ordered = sorted(labels, key=lambda one: (-one.doubt, one.file))
    names = _folder_names({one.label for one in ordered if one.label is not None})
    rows: list[Sequence[str]] = []
    written: list[str] = []
    taken: set[tuple[str, str]] = set()
    for one in ordered:
        sample = mask = ""
        if one.mask is not None and one.label is not None:
            sample, mask = _write_sample(folder, one, names[one.label], taken)
            written += [part for part in (sample, mask) if part]
        rows.append(_row(one, sample, mask))
    _remove_old(folder, written)
    write_json(folder / PSEUDO / WRITTEN, written)
    path = folder / REVIEW
    write_bytes(path, _table(rows))
    return path


def _write_sample(folder: Path, one: PseudoLabel, name: str, taken: set[tuple[str, str]]) -> tuple[str, str]:
    """Paths of a sample's picture and mask below the folder; none when the picture has gone."""
    assert one.mask is not None
    stem = _free_stem(name, one.stem, taken)
    source = Path(one.file)
    picture = PurePosixPath(PSEUDO, name, "images", stem + source.suffix.lower())
    mask = PurePosixPath(PSEUDO, name, "masks", f"{stem}.png")
    if not source.is_file():
        return "", ""
    with atomic_path(folder / picture) as temporary:
        try:
            shutil.copyfile(source, temporary)
        except OSError as error:
            raise UsageError(one_line(f"{source}: cannot be copied: {reason_of(error)}")) from error
    write_mask(folder / mask, one.mask)
    return str(picture), str(mask)


def _free_stem(name: str, stem: str, taken: set[tuple[str, str]]) -> str:
    """A picture's stem, numbered from its second object of a class on."""
    number, free = 1, stem
    while (name, free.casefold()) in taken:
        number += 1
        free = f"{stem}_{number}"
    taken.add((name, free.casefold()))
    return free


def _folder_names(labels: Iterable[str]) -> dict[str, str]:
    """A folder for each class, called like it as far as file systems allow; no two the same."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in sorted(labels):
        base = _safe(label)
        name, number = base, 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name.casefold())
        names[label] = name
    return names


def _safe(label: str) -> str:
    text = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", unicodedata.normalize("NFC", label)).strip(" .")
    text = text.encode("utf-8", "replace")[:MOST_NAME_BYTES].decode("utf-8", "ignore").rstrip(" .")
    return f"_{text}" if text.casefold() in _TAKEN or not text else text


def _remove_old(folder: Path, kept: Sequence[str]) -> None:
    """Remove what an earlier call wrote, and nothing else."""
    for part in sorted(set(_earlier(folder / PSEUDO / WRITTEN)) - set(kept)):
        pieces = PurePosixPath(part).parts
        # A foreign list must not reach outside of the folder.
        if len(pieces) == 4 and pieces[0] == PSEUDO and pieces[2] in _TAKEN and ".." not in pieces:
            folder.joinpath(*pieces).unlink(missing_ok=True)


def _earlier(path: Path) -> list[str]:
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [part for part in listed if isinstance(part, str)] if isinstance(listed, list) else []


def _row(one: PseudoLabel, sample: str, mask: str) -> tuple[str, ...]:
    numbers = [f"{value:.3f}" for value in (one.doubt, one.class_score, one.match)]
    texts = [_plain(text) for text in (one.file, one.label or "", one.source, one.why)]
    return numbers[0], texts[0], texts[1], numbers[1], numbers[2], texts[2], texts[3], sample, mask


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = one_line(text)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _table(rows: Sequence[Sequence[str]]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8-sig", "backslashreplace")
