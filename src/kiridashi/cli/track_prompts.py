"""Prompts of `kiridashi track` as the user writes them: `[ID:]WHAT[@FRAME]`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kiridashi.cli.prompts import parse_box, parse_point
from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.prompt import Box, Point, Prompt
from kiridashi.data.masks import label_mask, read_label_map, read_mask
from kiridashi.video.prompting import MOST_OBJECTS, Given, drop_lists, gather

# Stands for the clip's name in the path of a mask.
CLIP = "{clip}"
_PARTS = re.compile(r"(?:(\d{1,9}):)?(.+?)(?:@(\d{1,9}))?", re.DOTALL)


@dataclass(frozen=True)
class Words:
    """What was written on the command line.

    Attributes:
        masks: of `--mask`.
        labels: of `--labels`.
        points: of `--point`.
        boxes: of `--box`.
        drops: of `--drop`.
    """

    masks: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()

    @property
    def name_objects(self) -> bool:
        """Whether there is a prompt among them."""
        return bool(self.masks or self.labels or self.points or self.boxes)

    def parse(self) -> "Parsed":
        """The words as numbers and paths; nothing is read yet.

        Raises:
            UsageError: one of them is malformed.
        """
        return Parsed(
            masks=tuple(_split(word, "--mask") for word in self.masks),
            labels=tuple(_label_file(word) for word in self.labels),
            points=tuple((f, i, parse_point(text)) for f, i, text in _all(self.points, "--point")),
            boxes=tuple((f, i, _box(text)) for f, i, text in _all(self.boxes, "--box")),
            drops=tuple(_drop(word) for word in self.drops),
        )


@dataclass(frozen=True)
class Parsed:
    """Words understood: (frame, object, what) each; `labels` are (frame, path), `drops` (frame, object)."""

    masks: tuple[tuple[int, int, str], ...] = ()
    labels: tuple[tuple[int, str], ...] = ()
    points: tuple[tuple[int, int, Point], ...] = ()
    boxes: tuple[tuple[int, int, Box], ...] = ()
    drops: tuple[tuple[int, int], ...] = ()

    def prompts(self, clip: str) -> dict[int, dict[int, Given]]:
        """The prompts of a clip, with its masks read.

        Args:
            clip: its name, which takes the place of `{clip}` in paths.

        Raises:
            InputError: a mask cannot be used.
            UsageError: two prompts contradict each other.
        """
        masks = [(frame, name, read_mask(path.replace(CLIP, clip))) for frame, name, path in self.masks]
        for frame, path in self.labels:
            masks += [(frame, name, mask) for name, mask in _read_labels(Path(path.replace(CLIP, clip)))]
        return gather(masks, self.points, self.boxes)

    def drop_lists(self) -> dict[int, tuple[int, ...]]:
        """Objects that are no longer followed, by the frame from which on."""
        return drop_lists(self.drops)


def _all(words: Sequence[str], option: str) -> list[tuple[int, int, str]]:
    return [_split(word, option) for word in words]


def _split(word: str, option: str) -> tuple[int, int, str]:
    """(frame, object, rest); object 1 and frame 0 where nothing is said."""
    match = _PARTS.fullmatch(word)
    if match is None:
        raise UsageError(f"{option} is empty; it takes [ID:]WHAT[@FRAME]")
    object_id = int(match[1] or 1)
    if not 1 <= object_id <= MOST_OBJECTS:
        raise UsageError(f"{option} {word}: an object's id is 1..{MOST_OBJECTS}, got {object_id}")
    return int(match[3] or 0), object_id, match[2]


def _label_file(word: str) -> tuple[int, str]:
    match = _PARTS.fullmatch(word)
    if match is None or match[1] is not None:
        raise UsageError(f"--labels takes FILE[@FRAME]; the ids are the numbers in the file, got {word!r}")
    return int(match[3] or 0), match[2]


def _box(text: str) -> Box:
    box = parse_box(text)
    # What is wrong with it is told before a model is loaded.
    Prompt(box=box)
    return box


def _drop(word: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,3})@(\d{1,9})", word)
    if match is None:
        raise UsageError(f"--drop takes ID@FRAME, the frame from which on it is not followed, got {word!r}")
    return int(match[2]), int(match[1])


def _read_labels(path: Path) -> list[tuple[int, Mask]]:
    labels = read_label_map(path)
    ids = [int(value) for value in np.unique(labels) if value]
    if not ids:
        raise InputError(f"{path}: no pixel has a number above 0; mark the objects by their ids")
    if ids[-1] > MOST_OBJECTS:
        raise InputError(f"{path}: ids are 1..{MOST_OBJECTS}, the file has {ids[-1]}")
    return [(value, label_mask(labels, value)) for value in ids]
