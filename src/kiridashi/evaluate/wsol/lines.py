"""One line of a run's `results.jsonl`: what one method made of one picture and one of its classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from kiridashi.core.errors import InputError
from kiridashi.evaluate.wsol.scoring import Curves, Score

# Parts of a trial whose pictures are asked for.
TUNE, TEST = "tune", "test"


class Key(NamedTuple):
    """Which question: there is one valid line for each.

    Attributes:
        set: name of the set.
        seed: of the trial.
        fold: of the trial.
        part: `TUNE` or `TEST`.
        picture: its id.
        label: the class asked for; empty: nothing is there, and only scores are kept.
        method: its name.
    """

    set: str
    seed: int
    fold: int
    part: str
    picture: str
    label: str
    method: str

    @property
    def question(self) -> tuple[str, int, int, str, str, str]:
        """All but the method."""
        return self[:-1]


@dataclass(frozen=True, eq=False)
class Line:
    """A result, or the reason why there is none.

    Attributes:
        key: the question and the method.
        data: fingerprint of the set when it was asked.
        score: what the answer is worth; None where nothing is there, or without an answer.
        surest: the highest class score; None when the method knows no classes.
        seconds: for the answer.
        note: of the method.
        error: why there is no result.
    """

    key: Key
    data: str
    score: Score | None = None
    surest: float | None = None
    seconds: float = 0.0
    note: str = ""
    error: str | None = None

    def is_of(self, data: str) -> bool:
        """Whether this is a result for just these files."""
        return self.error is None and self.data == data

    def to_json(self) -> dict[str, Any]:
        """For `results.jsonl`."""
        score = self.score
        return {
            **self.key._asdict(),
            "rank": None if score is None else score.rank,
            "own_iou": None if score is None else _rounded(score.own_iou),
            "mask_iou": None if score is None else _rounded(score.mask_iou),
            "fallback": None if score is None else score.fallback,
            "alternative_iou": None if score is None else _rounded(score.alternative_iou),
            "curves": None if score is None or score.curves is None else score.curves.to_json(),
            "surest": self.surest,
            "seconds": round(self.seconds, 4),
            "data": self.data,
            "note": self.note,
            "error": self.error,
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> "Line":
        """Read back what `to_json` wrote.

        Raises:
            InputError: the line lacks something or holds what cannot be.
        """
        try:
            key = Key(
                *(str(line["set"]), int(line["seed"]), int(line["fold"]), str(line["part"])),
                *(str(line["picture"]), str(line["label"]), str(line["method"])),
            )
            if line["error"] is not None:
                return cls(key, str(line["data"]), error=str(line["error"]))
            score = _score(line) if key.label else None
            surest, seconds, note = _number(line["surest"]), float(line["seconds"]), str(line["note"])
            return cls(key, str(line["data"]), score, surest, seconds, note)
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise InputError("a line of results.jsonl is not one of this evaluation") from err


def _score(line: Mapping[str, Any]) -> Score:
    rank, curves, fallback = line["rank"], line["curves"], line["fallback"]
    return Score(
        None if rank is None else int(rank),
        None if curves is None else Curves.from_json(curves),
        _number(line["own_iou"]),
        _number(line["mask_iou"]),
        None if fallback is None else bool(fallback),
        _number(line["alternative_iou"]),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _rounded(value: float | None) -> float | None:
    # Fine enough that no IoU reaches a threshold by it.
    return None if value is None else round(value, 9)
