"""One line of `results.jsonl`: everything that is known of one picture."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments

Json = dict[str, Any]
# Remarks of the `cav` methods.
BRIDGE, CYCLE = "bridge", "cycle IoU"
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_DETAILS: Mapping[str, Any] = MappingProxyType({})


def bridge_counts(records: Iterable["Record"]) -> dict[str, int]:
    """How many pictures each bridge was taken for, the most frequent first; of those with a result."""
    taken = Counter(each.bridge for each in records if each.error is None and each.bridge is not None)
    return dict(taken.most_common())


def label_counts(records: Iterable["Record"]) -> dict[str, int]:
    """How many objects of each label there are, the most frequent first; of those with a result."""
    found = Counter(each["label"] for record in records if record.error is None for each in record.instances)
    return dict(found.most_common())


@dataclass(frozen=True, eq=False)
class Record:
    """The result of one picture, or the reason why there is none.

    Attributes:
        file: the picture, as the user wrote it.
        stem: name of its outputs.
        seconds: time for reading and predicting.
        stamp: (bytes, time of last change in ns) of the file, to notice that it has changed since.
        size: (height, width); None when the picture could not be read.
        present: the verdict; None when there was none.
        score: of the verdict, or of the best object where there is no verdict.
        threshold: of the verdict.
        instances: label, score, box (x0, y0, x1, y1), area and run-length mask of each object.
        provenance: how the result came about.
        error: why there is no result.
        doubtful: as `instances`, of what may be an object and is not counted as one.
        details: what else a verb keeps of the picture, as plain JSON types.
    """

    file: str
    stem: str
    seconds: float
    stamp: tuple[int, int] = (0, 0)
    size: tuple[int, int] | None = None
    present: bool | None = None
    score: float | None = None
    threshold: float | None = None
    instances: tuple[Json, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    error: str | None = None
    doubtful: tuple[Json, ...] = ()
    details: Mapping[str, Any] = field(default_factory=lambda: _NO_DETAILS)

    @property
    def verdict(self) -> str | None:
        """`present`, `absent` or None."""
        return None if self.present is None else ("present" if self.present else "absent")

    @property
    def found(self) -> bool:
        """Whether the picture has at least one object."""
        return bool(self.instances)

    @property
    def bridge(self) -> str | None:
        """What stood between reference and picture, for methods that have such a thing."""
        return self.provenance.get(BRIDGE)

    @property
    def cycle(self) -> float | None:
        """IoU of what came back to the references, 0..1; None when nobody asked."""
        try:
            return float(self.provenance[CYCLE])
        except (KeyError, ValueError):
            return None

    @classmethod
    def of(cls, file: str, stem: str, stamp: tuple[int, int], segments: Segments, seconds: float) -> "Record":
        """The record of a result."""
        verdict = segments.verdict
        best = max((segment.score for segment in segments), default=None)
        return cls(
            file=file,
            stem=stem,
            seconds=round(seconds, 4),
            stamp=stamp,
            size=segments.size,
            present=None if verdict is None else bool(verdict.present),
            score=_number(best if verdict is None else verdict.score),
            threshold=None if verdict is None else _number(verdict.threshold),
            instances=_instances(segments),
            provenance=dict(segments.provenance),
            doubtful=_instances(segments.doubtful),
        )

    def segments(self) -> Segments:
        """The objects again, without the verdict.

        Raises:
            InputError: the record has no result, or a mask is damaged.
        """
        if self.size is None:
            raise InputError(f"{self.file}: no result ({self.error})")
        items = tuple(
            Segment(Mask.from_rle(each["mask"]), float(each["score"]), str(each["label"]))
            for each in self.instances
        )
        return Segments(self.size, items, provenance=self.provenance)

    def to_json(self) -> Json:
        """The line as plain JSON types."""
        height, width = self.size or (None, None)
        return {
            "file": self.file,
            "stem": self.stem,
            "verdict": self.verdict,
            "score": self.score,
            "threshold": self.threshold,
            "instances": list(self.instances),
            "seconds": self.seconds,
            "error": self.error,
            "width": width,
            "height": height,
            "provenance": dict(self.provenance),
            **({"doubtful": list(self.doubtful)} if self.doubtful else {}),
            **({"details": dict(self.details)} if self.details else {}),
            "bytes": self.stamp[0],
            "modified": self.stamp[1],
        }

    @classmethod
    def from_json(cls, line: Json) -> "Record":
        """Take back what `to_json` gave.

        Raises:
            InputError: a field is missing or of the wrong kind.
        """
        try:
            size = None if line["height"] is None else (int(line["height"]), int(line["width"]))
            return cls(
                file=str(line["file"]),
                stem=str(line["stem"]),
                seconds=float(line["seconds"]),
                stamp=(int(line["bytes"]), int(line["modified"])),
                size=size,
                present=None if line["verdict"] is None else line["verdict"] == "present",
                score=line["score"],
                threshold=line["threshold"],
                instances=tuple(line["instances"]),
                provenance=dict(line["provenance"]),
                error=line["error"],
                doubtful=tuple(line.get("doubtful", ())),
                details=dict(line.get("details", {})),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a line of results.jsonl is not one of ours ({error!r})") from error


def _instances(segments: Iterable[Segment]) -> tuple[Json, ...]:
    return tuple(_instance(segment) for segment in segments if not segment.mask.is_empty)


def _instance(segment: Segment) -> Json:
    return {
        "label": segment.label,
        "score": _number(segment.score),
        "box": [int(side) for side in segment.mask.box],
        "area": segment.mask.area,
        "mask": segment.mask.to_rle(),
    }


def _number(value: float | None) -> float | None:
    """Six digits are more than a score means; JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)
