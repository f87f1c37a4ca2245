"""The fields of a site file, with their units and limits."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MOST_CASES, MOST_METHODS, MOST_SHOTS, MOST_TEXTS = 20, 12, 200, 50
DEFAULT_METHODS = ("prototype", "adapted", "forest", "unet")
DEFAULT_TRANSFORMS = (
    "lighting-gamma",
    "lighting-shadow",
    "lighting-temperature",
    "sensor-blur",
    "sensor-noise",
    "sensor-resolution",
    "viewpoint",
)

Text = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]


class _Part(BaseModel):
    """A part of the file; a key that it does not know is a slip of the pen."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Data(_Part):
    """Where the pictures are, and on what terms.

    Attributes:
        folder: with `images/` and `masks/`, or what an annotation tool wrote (a file or folder); relative to
            the site file.
        pictures: folder of the pictures of an annotation file; None: where the format keeps them.
        format: of the annotations; None: found out.
        tags: CSV of a column `picture` and a column a condition; None: nothing is known.
        licence: terms of the pictures; None: what the folder's README.md says.
        people: whether people or what tells who they are can be seen; None: nobody has looked.
        may_be_shown: whether the report may hold the pictures.
    """

    folder: Text
    pictures: Text | None = None
    format: Name | None = None
    tags: Text | None = None
    licence: Text | None = None
    people: bool | None = None
    may_be_shown: bool = True


class Conditions(_Part):
    """What the camera will meet in daily work.

    Attributes:
        planned: values by column of the tags, such as `light: [day, night]`; what no picture shows is named.
        expected: transformations of `robustness` that will really happen.
        note: how the pictures were taken.
    """

    planned: dict[Name, Annotated[list[Name], Field(max_length=MOST_TEXTS)]] = Field(
        default_factory=dict, max_length=MOST_TEXTS
    )
    expected: Annotated[list[Name], Field(max_length=MOST_TEXTS)] = []
    note: Text | None = None

    @field_validator("planned", mode="before")
    @classmethod
    def _as_texts(cls, planned: object) -> object:
        # YAML reads `line: [1, 2]` as numbers and `lamp: [on, off]` as truth values.
        if not isinstance(planned, dict):
            return planned
        return {key: _texts(values) for key, values in planned.items()}


class Budget(_Part):
    """How much is measured.

    Attributes:
        shots: numbers of marked pictures a class, the learning curve's points.
        good_shots: pictures without any object that are shown with them, to every method that can use them.
        repeats: draws of the shots, each with a seed of its own.
        test_pictures: at most so many pictures with, and as many without the object, a class and draw.
        robustness_pictures: of these, at most so many are also shown under each transformation; 0: none.
        severities: strengths of the transformations, 1..5.
        forgetting_pictures: of two classes or more, ask at most so many test pictures a class again while
            the classes are taught one after another; 0: none.
    """

    shots: Annotated[list[Annotated[int, Field(ge=1, le=MOST_SHOTS)]], Field(min_length=1, max_length=8)] = [
        1,
        3,
        10,
    ]
    good_shots: Annotated[int, Field(ge=0, le=MOST_SHOTS)] = 0
    repeats: Annotated[int, Field(ge=1, le=20)] = 2
    test_pictures: Annotated[int, Field(ge=2, le=10_000)] = 30
    robustness_pictures: Annotated[int, Field(ge=0, le=1000)] = 10
    severities: Annotated[list[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1, max_length=5)] = [
        1,
        3,
        5,
    ]
    forgetting_pictures: Annotated[int, Field(ge=0, le=1000)] = 10

    @field_validator("shots", "severities")
    @classmethod
    def _in_order(cls, values: list[int]) -> list[int]:
        if len(set(values)) != len(values):
            raise ValueError(f"expected different numbers, got {values}")
        return sorted(values)


class Needed(_Part):
    """What it must reach to be of use; what is left out is not asked for.

    Attributes:
        iou: mean overlap with the truth, 0..1.
        found: share of the pictures with the object in which it is found, 0..1.
        seconds: for a picture, at most.
        payback_months: until it has paid, at most.
    """

    iou: Share | None = None
    found: Share | None = None
    seconds: Positive | None = None
    payback_months: Positive | None = None


class Labelling(_Part):
    """What it takes to mark one picture.

    Attributes:
        minutes_per_picture: for its mask, and a look by a second person.
        wage_per_hour: of those who mark, all costs included.
    """

    minutes_per_picture: Amount
    wage_per_hour: Amount


class Volume(_Part):
    """How much comes along.

    Attributes:
        pictures_per_day: that are judged.
        days_per_year: of work.
        hours_per_day: in which they are judged.
        defect_share: of the pictures with what is looked for, 0..1.
    """

    pictures_per_day: Positive
    days_per_year: Annotated[float, Field(gt=0, le=366)]
    hours_per_day: Annotated[float, Field(gt=0, le=24)] = 8
    defect_share: Share


class Errors(_Part):
    """What a mistake costs.

    Attributes:
        false_alarm: a good part held up: looked at again, or thrown away.
        miss: a bad part that goes on.
    """

    false_alarm: Amount
    miss: Amount


class Current(_Part):
    """How it is done now.

    Attributes:
        seconds_per_picture: that a person looks at each.
        wage_per_hour: of that person, all costs included.
        cost_per_year: of the present way besides, such as a rented machine.
        miss_rate: share of the bad parts that are let through now, 0..1.
        false_alarm_rate: share of the good parts that are held up now, 0..1.
    """

    seconds_per_picture: Amount = 0
    wage_per_hour: Amount = 0
    cost_per_year: Amount = 0
    miss_rate: Share
    false_alarm_rate: Share


class Introduction(_Part):
    """What the new way takes.

    Attributes:
        hardware: price of one computer with camera and light.
        integration: once, for whoever builds it in.
        upkeep_per_year: checks, new samples, repairs.
        labour_left: share of today's looking that people still do, 0..1.
        years: over which it has to pay.
    """

    hardware: Amount
    integration: Amount = 0
    upkeep_per_year: Amount = 0
    labour_left: Share = 0
    years: Annotated[float, Field(gt=0, le=30)] = 3


class Money(_Part):
    """All that the reckoning needs; amounts in the site's currency.

    Attributes:
        uncertainty: how far each amount may be off, as a share; for the sensitivity.
    """

    labelling: Labelling
    volume: Volume
    errors: Errors
    current: Current
    introduction: Introduction
    uncertainty: Annotated[float, Field(gt=0, lt=1)] = 0.3


class UseCase(_Part):
    """One thing that is to be found.

    Attributes:
        name: what the report calls it.
        question: in one sentence, answered by the report; None: one is made of the name.
        classes: `each` is found by itself, `merged`: all are one class; or names of the set's classes.
        methods: to compare, in order.
        baseline: of the methods, what gains are measured against; None: the first of forest, unet or the
            last one named.
        robustness: names of transformations.
    """

    name: Name
    question: Text | None = None
    data: Data
    classes: Literal["each", "merged"] | Annotated[list[Name], Field(min_length=1, max_length=MOST_TEXTS)] = (
        "each"
    )
    methods: Annotated[list[Name], Field(min_length=1, max_length=MOST_METHODS)] = list(DEFAULT_METHODS)
    baseline: Name | None = None
    budget: Budget = Budget()
    conditions: Conditions = Conditions()
    robustness: Annotated[list[Name], Field(max_length=30)] = list(DEFAULT_TRANSFORMS)
    classes_will_grow: bool | None = None
    needed: Needed = Needed()
    money: Money | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in ("methods", "robustness"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name}: expected different names, got {values}")
        if self.baseline is not None and self.baseline not in self.methods:
            raise ValueError(f"baseline: expected one of {', '.join(self.methods)}, got {self.baseline!r}")
        missing = [name for name in self.conditions.expected if name not in self.robustness]
        if missing:
            raise ValueError(
                f"conditions.expected: not among the names under robustness: {', '.join(missing)}"
            )
        return self

    @property
    def slug(self) -> str:
        """The name as that of a folder."""
        return slug(self.name)

    @property
    def against(self) -> str:
        """The method that gains are measured against."""
        if self.baseline is not None:
            return self.baseline
        usual = [name for name in ("forest", "unet") if name in self.methods]
        return (usual or self.methods[-1:])[0]


class Site(_Part):
    """The file as a whole.

    Attributes:
        title: of the report.
        currency: as it stands behind amounts, such as EUR, JPY or 円.
        seed: of everything that draws numbers.
        model: name of the catalogue, or a model folder beside the site file.
        minutes: that the run may take at most; None: as long as it takes.
        privacy: the site's own remarks for the report.
    """

    title: Name
    currency: Annotated[str, Field(min_length=1, max_length=12)] = "EUR"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    model: Name = "compact"
    minutes: Annotated[float, Field(gt=0, le=100_000)] | None = None
    privacy: Text | None = None
    use_cases: Annotated[list[UseCase], Field(min_length=1, max_length=MOST_CASES)]

    @model_validator(mode="after")
    def _different_names(self) -> Self:
        slugs = [case.slug for case in self.use_cases]
        if len(set(slugs)) != len(slugs):
            raise ValueError(
                f"use_cases: expected different names, got {[case.name for case in self.use_cases]}"
            )
        return self


def slug(name: str) -> str:
    """A name as one that every file system takes; letters of any language stay."""
    return re.sub(r"[^\w-]+", "-", name.strip().lower()).strip("-") or "case"


def _texts(values: object) -> object:
    if not isinstance(values, list):
        return values
    return [
        str(one).lower() if isinstance(one, bool) else str(one) if isinstance(one, int | float) else one
        for one in values
    ]
