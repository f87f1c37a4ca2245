"""Write a set anew, with what is safe to put right put right. The set itself stays as it is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kiridashi.core.errors import InputError
from kiridashi.data.formats import write_set
from kiridashi.data.formats.model import AnnotatedPicture, AnnotatedSet, Annotation
from kiridashi.data.formats.shapes import clipped
from kiridashi.data.formats.writing import Pictures, Written
from kiridashi.data.sets.checking import KINDS, PICTURE_OUT, Checked, box_differs, pixels_of, reaches_out

# Done anew, and counted, when a picture is written.
_MENDED = frozenset({"damaged", "empty-mask", "outside-picture", "box-mismatch", "duplicate-annotation"})


@dataclass(frozen=True)
class Repaired:
    """What a repair has done.

    Attributes:
        done: annotations changed or left out, by kind of problem.
        left_out: names of pictures that are not in the new set.
        written: of the new set.
    """

    done: Counter[str]
    left_out: tuple[str, ...]
    written: Written


def repair_set(
    annotated: AnnotatedSet,
    checked: Checked,
    out: str | Path,
    format: str | None = None,
    *,
    pictures: Pictures = "copy",
) -> Repaired:
    """Write what is sound of a set into a new folder.

    Args:
        annotated: that was checked.
        checked: what the check has found.
        out: a folder that is not there yet, or empty.
        format: of the new set; None: that of the old one.
        pictures: copy the picture files, link them, or leave them where they are.

    Raises:
        UsageError: the folder is not empty or cannot be written.
    """
    # Names may stand for several entries: the places in the set do not.
    entries = [(picture.name, picture.split) for picture in annotated]
    out_names = pictures_left_out(checked, dict(entries))
    done = Counter(
        one.kind
        for one in checked.problems
        if one.annotation is not None and one.picture not in out_names and one.kind not in _MENDED
    )
    done += Counter(one.kind for one in annotated.problems if KINDS[one.kind].repair)
    left_out: list[str] = []

    def change(picture: AnnotatedPicture) -> AnnotatedPicture | None:
        if picture.name in out_names:
            left_out.append(picture.name)
            return None
        changed, counted = mended(picture)
        done.update(counted)
        return changed

    sound = replace(annotated, problems=()).mapped(change)
    written = write_set(sound, out, format or annotated.format, pictures=pictures)
    return Repaired(done, tuple(dict.fromkeys(left_out)), written)


def pictures_left_out(checked: Checked, splits: Mapping[str, str | None]) -> set[str]:
    """Names of pictures that a repair leaves out: unusable ones, and all but the first of equal ones.

    Equal pictures in two splits stay: which of them to keep is not for a program to decide.

    Args:
        checked: what a check has found.
        splits: split of each picture by its name.
    """
    out = {
        problem.picture
        for problem in checked.problems
        if problem.picture is not None
        and KINDS[problem.kind].repair == PICTURE_OUT
        and problem.annotation is None
    }
    for problem in checked.problems:
        if problem.kind == "duplicate-picture" and problem.picture is not None:
            kept = {splits.get(problem.picture)} if problem.picture not in out else set()
            for name in problem.others:
                if name in out:
                    continue
                if splits.get(name) in kept:
                    out.add(name)
                kept.add(splits.get(name))
    return out


def mended(picture: AnnotatedPicture) -> tuple[AnnotatedPicture, Counter[str]]:
    """The picture with what is safe to repair in its annotations repaired, and what was done by kind."""
    done: Counter[str] = Counter()
    kept: list[Annotation] = []
    known: set[tuple[object, ...]] = set()
    for one in picture.annotations:
        try:
            mask = one.mask(picture.size)
        except InputError:
            done["damaged"] += 1
            continue
        key = pixels_of(one, mask)
        if mask.is_empty or key in known:
            done["empty-mask" if mask.is_empty else "duplicate-annotation"] += 1
            continue
        known.add(key)
        changed = one
        if reaches_out(one, picture.size):
            changed = replace(changed, shape=clipped(one.shape, picture.size), box=None)
            done["outside-picture"] += 1
        if box_differs(one, mask):
            changed = replace(changed, box=None)
            done["box-mismatch"] += 1
        kept.append(changed)
    return replace(picture, annotations=tuple(kept), problems=()), done
