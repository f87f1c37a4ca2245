"""One line of a diagnosis: an object followed once, frame by frame and stage by stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Self

from kiridashi.core.errors import InputError
from kiridashi.evaluate.vos.statistics import Return, Statistics, returns, statistics

# What was watched: the clip as it is, its first frame alone, a transformed copy, or other prompts.
CLEAN, SELF_TEST, TRANSFORMATION, PROMPTS = KINDS = ("clean", "self-test", "transformation", "prompts")


# Of a transformed copy: the frames that show the object from the first changed one on.
TRIED = "tried"


class Key(NamedTuple):
    """Which run: there is one valid line for each.

    Attributes:
        kind: one of `KINDS`.
        name: of the transformation, or how often there are prompts; else empty.
        severity: of the transformation; else 0.
    """

    kind: str
    name: str = ""
    severity: int = 0

    @property
    def label(self) -> str:
        """For tables and files."""
        if self.kind == TRANSFORMATION:
            return f"{self.name}-{self.severity}"
        return f"{self.kind}-{self.name}" if self.name else self.kind


@dataclass(frozen=True)
class StageFigures:
    """One stage in one frame; None where a figure has no meaning.

    Attributes:
        raw: distance to the clean clip's frame: root mean square over all values.
        natural: the same, in units of what the clean clip changes from frame to frame.
        inside: likewise, over the object's places.
        outside: over the background's.
        memory: distance to the nearest frame remembered, in the same units.
        probe: AUROC of a linear probe fitted to early frames of the clean clip.
        component: AUROC of the frame's own first principal component.
        value: of a vector its length; of a stage that holds the object's share,
            AUROC of that share against the mask that was found.
        steady: cosine with the same stage in the frame before.
    """

    raw: float | None = None
    natural: float | None = None
    inside: float | None = None
    outside: float | None = None
    memory: float | None = None
    probe: float | None = None
    component: float | None = None
    value: float | None = None
    steady: float | None = None

    def to_json(self) -> dict[str, float]:
        """Figures that are there, as plain JSON types."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: round(value, 5) for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class FrameFigures:
    """One frame.

    Attributes:
        source: place in the clip of what it shows; None: something else.
        found: whether the object was found.
        why: the reason when it was lost.
        score: how likely the object is there, 0..1.
        area: share of the frame that was found to be the object.
        there: whether the object is in the reference; None: no reference.
        overlap: of the reference's masks in this frame and the one before; None for the first.
        truth_area: share of the frame that the reference covers.
        j: region similarity.
        f: boundary measure.
        distance: of the frame to the scene remembered, 0..2.
        prompted: whether it had a prompt.
        stages: by name.
        facts: what the pixels say of light, lens and sensor; only of the clip as it is.
    """

    source: int | None
    found: bool
    why: str
    score: float
    area: float
    there: bool | None
    overlap: float | None
    truth_area: float | None
    j: float | None
    f: float | None
    distance: float
    prompted: bool
    stages: Mapping[str, StageFigures] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For `results.jsonl`."""
        plain = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name not in ("stages", "facts")
        }
        rounded = {
            name: round(value, 6) if isinstance(value, float) else value for name, value in plain.items()
        }
        stages = {name: one.to_json() for name, one in self.stages.items()}
        return {**rounded, "stages": stages, "facts": dict(self.facts)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Take back what `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
        """
        named = {each.name: value[each.name] for each in fields(cls)}
        stages = {
            str(name): StageFigures(**{key: float(figure) for key, figure in one.items()})
            for name, one in named["stages"].items()
        }
        facts = {str(name): float(figure) for name, figure in named["facts"].items()}
        numbers = {name: float(named[name]) for name in ("score", "area", "distance")}
        return cls(**named | {"stages": stages, "facts": facts} | numbers)


@dataclass(frozen=True)
class Line:
    """One run.

    Attributes:
        key: which.
        frames: in order; the first has the prompt.
        tests: figures of the run as a whole, by name.
        error: why there is no result.
    """

    key: Key
    frames: tuple[FrameFigures, ...] = ()
    tests: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    @property
    def followed(self) -> Sequence[FrameFigures]:
        """Frames that count: those without a prompt."""
        return [frame for frame in self.frames if not frame.prompted]

    @property
    def region(self) -> Statistics | None:
        """Of J; None where nothing is measured."""
        return _statistics([frame.j for frame in self.followed])

    @property
    def boundary(self) -> Statistics | None:
        """Of F."""
        return _statistics([frame.f for frame in self.followed])

    @property
    def j_and_f(self) -> float | None:
        """Mean of the mean J and the mean F."""
        region, boundary = self.region, self.boundary
        return None if region is None or boundary is None else (region.mean + boundary.mean) / 2

    @property
    def seen_j_and_f(self) -> float | None:
        """The same over the frames that show the object, however long it was away."""
        seen = [frame for frame in self.followed if frame.there]
        values = [(frame.j + frame.f) / 2 for frame in seen if frame.j is not None and frame.f is not None]
        return sum(values) / len(values) if values else None

    @property
    def returns(self) -> list[Return]:
        """Its returns after it was out of sight."""
        rows = [frame for frame in self.followed if frame.j is not None and frame.there is not None]
        return returns([frame.j or 0.0 for frame in rows], [bool(frame.there) for frame in rows])

    def values(self, stage: str, figure: str, *, seen: bool = False) -> list[float]:
        """A figure of a stage, of the frames without a prompt that have it.

        Args:
            stage: its name.
            figure: attribute of `StageFigures`.
            seen: only of frames that show the object.
        """
        rows = [frame for frame in self.followed if not seen or frame.there]
        found = (getattr(frame.stages.get(stage), figure, None) for frame in rows)
        return [value for value in found if value is not None]

    def to_json(self) -> dict[str, Any]:
        """For `results.jsonl`."""
        return {
            **self.key._asdict(),
            "frames": [frame.to_json() for frame in self.frames],
            "tests": {name: round(value, 6) for name, value in self.tests.items()},
            "error": self.error,
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> "Line":
        """Read back what `to_json` wrote.

        Raises:
            InputError: the line lacks something or holds what cannot be.
        """
        try:
            key = Key(str(line["kind"]), str(line["name"]), int(line["severity"]))
            if key.kind not in KINDS:
                raise ValueError(key.kind)
            frames = tuple(FrameFigures.from_json(frame) for frame in line["frames"])
            tests = {str(name): float(value) for name, value in line["tests"].items()}
            error = None if line["error"] is None else str(line["error"])
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise InputError("a line of results.jsonl is not one of a diagnosis") from err
        return cls(key, frames, tests, error)


def _statistics(values: Sequence[float | None]) -> Statistics | None:
    known = [value for value in values if value is not None]
    return statistics(known) if known else None
