"""One line of a run's `results.jsonl`: how one tracker did on one clip, frame by frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from kiridashi.core.errors import InputError
from kiridashi.evaluate.vos.statistics import Return, Statistics, returns, statistics


class Key(NamedTuple):
    """Which question: there is one valid line for each.

    Attributes:
        set: name of the set.
        clip: name of the clip.
        method: name of the tracker.
    """

    set: str
    clip: str
    method: str


@dataclass(frozen=True)
class ObjectScore:
    """One object in all frames after the first.

    Attributes:
        label: its value in the label maps.
        j: region similarity.
        f: boundary measure.
        there: whether the truth has it.
    """

    label: int
    j: tuple[float, ...]
    f: tuple[float, ...]
    there: tuple[bool, ...]

    # The last frame does not count, as in the public evaluator.
    @property
    def region(self) -> Statistics:
        """Of J."""
        return statistics(self.j[:-1])

    @property
    def boundary(self) -> Statistics:
        """Of F."""
        return statistics(self.f[:-1])

    @property
    def j_and_f(self) -> float:
        """Mean of the mean J and the mean F."""
        return (self.region.mean + self.boundary.mean) / 2

    @property
    def returns(self) -> list[Return]:
        """Its returns after it was out of sight."""
        return returns(self.j, self.there)

    @property
    def absences(self) -> list[bool]:
        """For each frame without it, whether nothing was found."""
        return [value == 1 for value, there in zip(self.j, self.there, strict=True) if not there]


@dataclass(frozen=True)
class Line:
    """A result, or the reason why there is none.

    Attributes:
        key: the clip and the tracker.
        data: fingerprint of what it was made of.
        objects: their scores.
        seconds: for all frames after the first, without reading and scoring.
        error: why there is no result.
    """

    key: Key
    data: str
    objects: tuple[ObjectScore, ...] = ()
    seconds: float = 0.0
    error: str | None = None

    @property
    def frames_per_second(self) -> float:
        """Frames after the first, over the seconds that they took."""
        return len(self.objects[0].j) / max(self.seconds, 1e-9)

    def is_of(self, data: str) -> bool:
        """Whether this is a result for just these files."""
        return self.error is None and self.data == data

    def to_json(self) -> dict[str, Any]:
        """For `results.jsonl`."""
        return {
            **self.key._asdict(),
            "objects": [
                {
                    "label": one.label,
                    # Fine enough that no value reaches a threshold by it.
                    "j": [round(value, 9) for value in one.j],
                    "f": [round(value, 9) for value in one.f],
                    "there": "".join("01"[there] for there in one.there),
                }
                for one in self.objects
            ],
            "seconds": round(self.seconds, 4),
            "data": self.data,
            "error": self.error,
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> "Line":
        """Read back what `to_json` wrote.

        Raises:
            InputError: the line lacks something or holds what cannot be.
        """
        try:
            key = Key(str(line["set"]), str(line["clip"]), str(line["method"]))
            if line["error"] is not None:
                return cls(key, str(line["data"]), error=str(line["error"]))
            objects = tuple(_object(one) for one in line["objects"])
            seconds = float(line["seconds"])
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise InputError("a line of results.jsonl is not one of this evaluation") from err
        lengths = {len(part) for one in objects for part in (one.j, one.f, one.there)}
        if len(lengths) != 1 or min(lengths) < 2:
            raise InputError("a line of results.jsonl has objects with too few frames, or not equally many")
        return cls(key, str(line["data"]), objects, seconds)


def _object(one: Mapping[str, Any]) -> ObjectScore:
    j, f = (tuple(map(_share, one[name])) for name in ("j", "f"))
    return ObjectScore(int(one["label"]), j, f, tuple(mark == "1" for mark in str(one["there"])))


def _share(value: Any) -> float:
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(value)
    return number
