"""A folder of pictures with truth, the rule that draws its episodes, and the size it is scored at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from PIL import Image

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.cdfss.clip_pairs import ClipPairs
from kiridashi.evaluate.cdfss.drawing import RULES, draw_each_once
from kiridashi.evaluate.cdfss.sources import READERS, fss1000
from kiridashi.evaluate.episodes import ClassPictures, Episode, Example, FewShotSet
from kiridashi.evaluate.texts import fingerprint

# Pictures and masks of the benchmark are brought to this many pixels each way.
BENCHMARK_SIDE = 400

Draw = Callable[[int, int | None, int], list[Episode]]


@dataclass(frozen=True, eq=False)
class Task:
    """Episodes of one set.

    Attributes:
        source: its pictures.
        folder: where they are.
        rule: name of the rule that draws.
        draw: episodes from (shots, number or None for the rule's own, seed).
        side: pictures and masks are resized to this many pixels each way; None: left as they are.
    """

    source: ClassPictures
    folder: Path
    rule: str
    draw: Draw
    side: int | None = None

    @property
    def name(self) -> str:
        """Of the set."""
        return self.source.name

    def read(self, name: str, label: str) -> Example:
        """A picture with its truth, at the task's size.

        Raises:
            InputError: a file cannot be used.
        """
        example = self.source.read(name, label)
        return example if self.side is None else resized(example, self.side)

    @cached_property
    def fingerprint(self) -> str:
        """Changes when a file of the set comes, goes or changes; by size and time, not by content."""
        return fingerprint(self.folder, self.folder.rglob("*"))


def open_tasks(folders: Sequence[Path], *, rule: str = "own", side: int | None = None) -> list[Task]:
    """The tasks in some folders.

    A folder is a set of `images/` and `masks/`, of clips (`CLIP/frames`, `CLIP/masks`), one of the
    benchmark's four, or a folder that holds some of those four.

    Args:
        folders: where to look.
        rule: `own` for each set's own (the benchmark's as in PATNet's code, distinct supports elsewhere,
            distant frames of clips), or a name of `drawing.RULES` for all but clips.
        side: 0 leaves pictures as they are, a number resizes all, None resizes the benchmark's sets to
            400 pixels and leaves others.

    Raises:
        UsageError: no folder, two sets of one name, or a rule or side that does not exist.
        InputError: a folder holds no set, or a damaged one.
    """
    if rule != "own" and rule not in RULES:
        raise UsageError(f"no rule named {rule!r}; there are own, {', '.join(RULES)}")
    if side is not None and side < 0:
        raise UsageError(f"the side to resize to is a number of pixels, or 0 for none; got {side}")
    tasks = [task for folder in folders for task in _open(folder, rule, side)]
    if not tasks:
        raise UsageError("no data given; name one or more folders of pictures with masks")
    names = [task.name for task in tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two sets are named {twice!r}; rename a folder, results are kept by name")
    return tasks


def resized(example: Example, side: int) -> Example:
    """The example at `side` x `side` pixels: the picture bilinear, masks by nearest neighbour.

    Bilinear as Pillow does it (shrinking averages), nearest as PyTorch does it (index rounded down).
    """
    image = Image.fromarray(example.picture.pixels).resize((side, side), Image.Resampling.BILINEAR)
    picture = Picture(np.asarray(image), example.picture.name, example.picture.path)
    return Example(picture, _nearest(example.mask, side), _nearest(example.ignore, side))


def _nearest(mask: Mask, side: int) -> Mask:
    rows, columns = (np.arange(side) * length // side for length in mask.size)
    return Mask.from_array(mask.to_array()[np.ix_(rows, columns)])


def _open(folder: Path, rule: str, side: int | None) -> list[Task]:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        return [_task(FewShotSet(folder), folder, "distinct" if rule == "own" else rule, side or None)]
    if any(folder.glob("*/frames")):
        clips = ClipPairs(folder)
        return [Task(clips, folder, "distant frames", clips.draw, side or None)]
    found = _benchmark(folder, rule, side) or [
        task for path in sorted(folder.iterdir()) if path.is_dir() for task in _benchmark(path, rule, side)
    ]
    if not found:
        raise InputError(
            f"{folder}: no set of pictures with masks; expected images/ and masks/, clips (CLIP/frames/ and "
            "CLIP/masks/), or a folder of the CD-FSS benchmark (Deepglobe, ISIC, LungSegmentation, FSS-1000)"
        )
    return found


def _benchmark(folder: Path, rule: str, side: int | None) -> list[Task]:
    for reader in READERS.values():
        source = reader(folder)
        if source is not None:
            size = BENCHMARK_SIDE if side is None else side or None
            if rule == "own" and reader is fss1000:
                return [Task(source, folder, "each once", partial(draw_each_once, source), size)]
            return [_task(source, folder, "patnet" if rule == "own" else rule, size)]
    return []


def _task(source: ClassPictures, folder: Path, rule: str, side: int | None) -> Task:
    return Task(source, folder, rule, partial(RULES[rule], source), side)
