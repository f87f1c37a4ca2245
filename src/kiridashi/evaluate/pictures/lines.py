"""One line of a run's `results.jsonl`: what one method made of one picture."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.evaluate.metrics.figures import Figures
from kiridashi.evaluate.metrics.object_precision import Matched


class Key(NamedTuple):
    """Which question to which method: there is one valid line for each.

    Attributes:
        set: name of the set.
        label: the class that is looked for.
        shots: number of pictures that were shown.
        seed: that drew them.
        picture: the measured one.
        view: how it was changed; empty: not at all.
        method: that answered.
    """

    set: str
    label: str
    shots: int
    seed: int
    picture: str
    view: str
    method: str


@dataclass(frozen=True, eq=False)
class Score:
    """An answer against the truth.

    Attributes:
        said: the method's verdict, whether the class is in the picture.
        score: evidence for it, 0..1: that of the verdict; of a method that gives none, the share of the
            picture that it found.
        figures: of the mask; a mask that the verdict calls absent is empty.
        pixels: inside both, inside either.
        objects: found and true objects, as connected parts.
        mask: the answer.
    """

    said: bool
    score: float
    figures: Figures
    pixels: tuple[int, int]
    objects: Matched
    mask: Mask


@dataclass(frozen=True, eq=False)
class Line:
    """A result, or the reason why there is none.

    Attributes:
        key: question and method.
        there: whether the class is in the picture.
        supports: ids of the pictures that were shown with the class.
        negatives: ids of those without.
        data: fingerprint of the set's files when it was asked.
        score: against the truth; None when there is no answer.
        fit_seconds: for learning from the shots; the same for all pictures of one fit.
        predict_seconds: for the picture.
        peak_mib: peak resident memory of the process while it learned and answered; None where it cannot
            be asked.
        provenance: how the answer came about.
        error: why there is no answer.
    """

    key: Key
    there: bool
    supports: tuple[str, ...]
    negatives: tuple[str, ...]
    data: str
    score: Score | None = None
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    peak_mib: float | None = None
    provenance: Mapping[str, str] | None = None
    error: str | None = None

    def answers(self, supports: tuple[str, ...], negatives: tuple[str, ...], data: str) -> bool:
        """Whether this is a result from just these pictures of just these files."""
        return (
            self.error is None
            and self.supports == supports
            and self.negatives == negatives
            and self.data == data
        )

    def to_json(self) -> dict[str, Any]:
        """For `results.jsonl`."""
        return {
            **self.key._asdict(),
            "there": self.there,
            "supports": list(self.supports),
            "negatives": list(self.negatives),
            "data": self.data,
            **(_NO_SCORE if self.score is None else _score_json(self.score)),
            "fit_seconds": round(self.fit_seconds, 4),
            "predict_seconds": round(self.predict_seconds, 4),
            "peak_mib": None if self.peak_mib is None else round(self.peak_mib, 1),
            "provenance": dict(self.provenance or {}),
            "error": self.error,
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> "Line":
        """Read back what `to_json` wrote.

        Raises:
            InputError: the line lacks something or holds what cannot be.
        """
        try:
            error = line["error"]
            return cls(
                Key(
                    str(line["set"]),
                    str(line["label"]),
                    int(line["shots"]),
                    int(line["seed"]),
                    str(line["picture"]),
                    str(line["view"]),
                    str(line["method"]),
                ),
                bool(line["there"]),
                tuple(str(name) for name in line["supports"]),
                tuple(str(name) for name in line["negatives"]),
                str(line["data"]),
                None if error is not None else _score_of(line),
                float(line["fit_seconds"]),
                float(line["predict_seconds"]),
                None if line["peak_mib"] is None else float(line["peak_mib"]),
                {str(key): str(value) for key, value in line["provenance"].items()},
                None if error is None else str(error),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise InputError("a line of results.jsonl is not one of this comparison") from err


_NO_SCORE: Mapping[str, Any] = dict.fromkeys(("said", "score", "figures", "pixels", "objects", "mask"))


def _score_json(score: Score) -> dict[str, Any]:
    return {
        "said": score.said,
        "score": round(score.score, 6),
        "figures": {name: round(value, 6) for name, value in asdict(score.figures).items()},
        "pixels": list(score.pixels),
        "objects": {
            "scores": [round(value, 6) for value in score.objects.scores],
            "right": list(score.objects.right),
            "wanted": score.objects.wanted,
        },
        "mask": score.mask.to_rle(),
    }


def _score_of(line: Mapping[str, Any]) -> Score:
    objects = line["objects"]
    inside, either = (int(number) for number in line["pixels"])
    return Score(
        bool(line["said"]),
        float(line["score"]),
        Figures(**{str(name): float(value) for name, value in line["figures"].items()}),
        (inside, either),
        Matched(
            tuple(float(value) for value in objects["scores"]),
            tuple(int(value) for value in objects["right"]),
            int(objects["wanted"]),
        ),
        Mask.from_rle(line["mask"]),
    )
