"""The stages of one localisation, as its folder keeps and its report shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.report.records import Json, Record

FloatMap = NDArray[np.float32]

FOUND, NOTHING = "found", "nothing found"
SOURCES = ("gallery", "sharpened", "coarse")
# Of a network with hundreds of classes, those that matter.
MOST_SCORES = 12


@dataclass(frozen=True)
class ChoiceNote:
    """Where one mask came from.

    Attributes:
        label: its class.
        class_score: how sure the network is that the class is there, 0..1.
        source: `gallery`, `sharpened` (the decoder's answer to the coarse map) or `coarse` (the fallback).
        reason: why, as one of a few words.
        why: why, as a sentence with the numbers.
        match: likeness of the best candidate to the coarse map.
        doubt: how much the result needs a look, 0..1.
    """

    label: str
    class_score: float
    source: str
    reason: str
    why: str
    match: float
    doubt: float

    def to_json(self) -> Json:
        """As plain JSON types."""
        numbers = {name: round(getattr(self, name), 4) for name in ("class_score", "match", "doubt")}
        return {**vars(self), **numbers}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ChoiceNote":
        """Take back what `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
        """
        return cls(
            label=str(value["label"]),
            class_score=float(value["class_score"]),
            source=str(value["source"]),
            reason=str(value["reason"]),
            why=str(value["why"]),
            match=float(value["match"]),
            doubt=float(value["doubt"]),
        )


@dataclass(frozen=True)
class Outcome:
    """What is known of a picture's localisation besides its masks; kept in its line of `results.jsonl`.

    Attributes:
        notes: one for each mask, in their order; none: nothing was found.
        class_scores: of the best classes, best first.
        candidates: number of masks that were chosen from; None where nothing was found and none were made.
        doubt: how much the picture needs a look, 0..1.
    """

    notes: tuple[ChoiceNote, ...]
    class_scores: Mapping[str, float]
    candidates: int | None
    doubt: float

    @property
    def word(self) -> str:
        """`found` or `nothing found`."""
        return FOUND if self.notes else NOTHING

    @property
    def fallbacks(self) -> int:
        """How many masks are the coarse map's own region."""
        return sum(note.source == "coarse" for note in self.notes)

    def to_json(self) -> Json:
        """As plain JSON types."""
        best = sorted(self.class_scores.items(), key=lambda each: -each[1])[:MOST_SCORES]
        return {
            "outcome": self.word,
            "doubt": round(self.doubt, 4),
            "class_scores": {name: round(score, 4) for name, score in best},
            "candidates": self.candidates,
            "choices": [note.to_json() for note in self.notes],
        }

    @classmethod
    def of(cls, record: Record) -> "Outcome":
        """The outcome in a line of `results.jsonl`.

        Raises:
            InputError: it is of another verb, or damaged.
        """
        details = record.details
        try:
            notes = tuple(ChoiceNote.from_json(each) for each in details["choices"])
            scores = {str(name): float(score) for name, score in details["class_scores"].items()}
            candidates = None if details["candidates"] is None else int(details["candidates"])
            if len(notes) != len(record.instances):
                raise ValueError("not one choice for each object")
            return cls(notes, scores, candidates, float(details["doubt"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{record.file}: its line is not one of a localisation ({error!r})") from error


@dataclass(frozen=True, eq=False)
class Stages:
    """All that a picture's localisation went through.

    Attributes:
        map: (h, w) float32 in 0..1, where the network sees something, as it is.
        guide: (h, w) float32 in 0..1, the same as it was compared with masks.
        gallery: all masks that were chosen from.
        best: those that matched best.
        outcome: what was chosen and why.
    """

    map: FloatMap
    guide: FloatMap
    gallery: Sequence[Mask]
    best: Sequence[Mask]
    outcome: Outcome
