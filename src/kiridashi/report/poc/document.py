"""What a report for a decision says, as values: measured and worked out before it is laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from kiridashi.core.picture import Rgb
from kiridashi.evaluate.intervals import Interval
from kiridashi.report.charts.learning import CurvePoint

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Decision(StrEnum):
    """What to do next."""

    GO = "go"
    HOLD = "hold"
    STOP = "stop"


@dataclass(frozen=True)
class Reason:
    """One ground for the decision.

    Attributes:
        weight: what it speaks for; None: a remark that decides nothing.
        key: of the text that says it.
        values: that fill the text in; numbers, amounts and names.
    """

    weight: Decision | None
    key: str
    values: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True)
class Rate:
    """A share of pictures, with its 95 % interval.

    Attributes:
        share: 0..1.
        low: lower end.
        high: upper end.
        count: of different pictures.
    """

    share: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Option:
    """One way of doing it, with the most shots that were measured.

    Attributes:
        method: name.
        shots: pictures a class that it learned from.
        iou: over the pictures with the object, 0..1; those called empty count 0.
        gain: of IoU over the baseline, on the same pictures; None for the baseline.
        missed: of the pictures with the object, those in which it is not found.
        false_alarms: of the pictures without any object, those in which something is found; None: there was
            no such picture.
        fit_seconds: for learning, a class.
        seconds: for a picture, the median.
        peak_mib: most memory held; None: unknown.
        licence: of its model or library.
    """

    method: str
    shots: int
    iou: Interval
    gain: Interval | None
    missed: Rate
    false_alarms: Rate | None
    fit_seconds: float
    seconds: float
    peak_mib: float | None
    licence: str = ""


@dataclass(frozen=True)
class Cell:
    """A method under a transformation.

    Attributes:
        method: name.
        transform: name.
        severity: 1..5.
        iou: of the same pictures as they are, and transformed.
        change: transformed minus plain, on the same pictures.
        expected: whether the site says that this happens.
    """

    method: str
    transform: str
    severity: int
    iou: Interval
    change: Interval
    expected: bool


@dataclass(frozen=True)
class Condition:
    """Pictures of one value of a tag.

    Attributes:
        name: of the tag.
        value: of it.
        pictures: that have it.
        iou: of the recommended option on those that were tested; None: none was.
        planned: whether daily work brings it.
    """

    name: str
    value: str
    pictures: int
    iou: Interval | None
    planned: bool


@dataclass(frozen=True)
class Check:
    """One line of the checklist on the samples."""

    fulfilled: bool
    key: str
    values: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, eq=False)
class Failure:
    """A picture of the gallery.

    Attributes:
        picture: its name.
        label: the class asked for.
        method: that answered.
        iou: with the truth; None where nothing is there.
        panels: (key of the caption, pixels); empty: the pictures may not be shown.
    """

    picture: str
    label: str
    method: str
    iou: float | None
    panels: Sequence[tuple[str, Rgb]] = ()


@dataclass(frozen=True)
class Bill:
    """What a year costs, in the site's currency."""

    labour: float
    misses: float
    false_alarms: float
    running: float

    @property
    def total(self) -> float:
        """Sum of all."""
        return self.labour + self.misses + self.false_alarms + self.running


@dataclass(frozen=True)
class Span:
    """An amount, with the 95 % interval that comes of what was measured."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Swing:
    """How far the net result moves when one input is off.

    Attributes:
        key: of the input's name.
        low: the input's value at its lower end.
        high: and at its upper end.
        net_low: the net result with the former.
        net_high: with the latter.
        measured: whether the ends are those of a measured interval, or of the site's uncertainty.
        share: whether the input is a share of pictures.
    """

    key: str
    low: float
    high: float
    net_low: float
    net_high: float
    measured: bool
    share: bool

    @property
    def width(self) -> float:
        """How much the result moves."""
        return abs(self.net_high - self.net_low)


@dataclass(frozen=True)
class Worth:
    """What an option brings.

    Attributes:
        method: the option's.
        now: a year as it is done today.
        then: a year with it.
        labelling: once, to mark the pictures.
        hardware: once, for all computers.
        integration: once.
        computers: that are needed for the volume.
        saving: a year.
        net: over all years, after what is spent once.
        years: in which it has to pay.
        payback_months: until the savings have paid what is spent once; None: never.
        payback_worst: the same at the lower end of the savings.
        most_missed: share of misses at which the net result is nothing; None: there is none in 0..1.
        most_false_alarms: the same of false alarms.
        swings: of the net result, widest first.
    """

    method: str
    now: Bill
    then: Bill
    labelling: float
    hardware: float
    integration: float
    computers: int
    saving: Span
    net: Span
    years: float
    payback_months: float | None
    payback_worst: float | None
    most_missed: float | None
    most_false_alarms: float | None
    swings: tuple[Swing, ...] = ()

    @property
    def once(self) -> float:
        """All that is spent once."""
        return self.labelling + self.hardware + self.integration


@dataclass(frozen=True)
class Kept:
    """What became of one class while others were taught after it, on the same test pictures.

    Attributes:
        name: of the class.
        pictures: number of test pictures.
        before: share of them in which its object was named rightly right after it was taught, 0..1.
        after: the same when all classes were there.
        change: after minus before; None: nothing was taught after it.
        iou_before: mean IoU with the truth right after it was taught, 0..1.
        iou_after: the same when all classes were there.
        iou_change: after minus before; None likewise.
        taken: (later class, number of pictures in which the object was named rightly before and has that
            name now), most first.
    """

    name: str
    pictures: int
    before: float
    after: float
    change: Interval | None
    iou_before: float
    iou_after: float
    iou_change: Interval | None
    taken: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Forgetting:
    """Whether earlier classes are lost when later ones are taught.

    Attributes:
        key: of the text that says what was found, or why it was not measured.
        values: that fill it in.
        rows: of the classes in the order of teaching; empty: not measured.
        shots: pictures a class that were taught with, at most.
        untold: classes without a row, for want of a picture or because something failed.
        faint: classes that were hardly ever named rightly in the first place.
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    rows: tuple[Kept, ...] = ()
    shots: int = 0
    untold: tuple[str, ...] = ()
    faint: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether there is anything to compare."""
        return any(row.change is not None for row in self.rows)


@dataclass(frozen=True)
class Missing:
    """Something that was not measured.

    Attributes:
        name: in plain words, as in the logs.
        key: of the text that names it in the reader's language.
        values: that fill it in.
    """

    name: str
    key: str
    values: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, eq=False)
class CaseReport:
    """All that is said of one use case.

    Attributes:
        name: of it.
        question: in one sentence; None: one is made of the name.
        data: folder, as the site file has it.
        pictures: in the set.
        classes: name to number of pictures.
        empty: pictures without any object.
        tested: different pictures that were asked for.
        conditions: by tags.
        note: of the site, on how the pictures were taken.
        checks: of the samples.
        baseline: method that gains are to.
        options: of every method, best first.
        curve: of every method and number of shots.
        enough: fewest shots that do nearly as well as the most; None: not known.
        cells: of the robustness.
        failures: worst first.
        forgetting: of the classes taught one after another.
        worths: of the options that money was reckoned for, best first.
        decision: what to do.
        recommended: the option's method.
        reasons: for the decision, the gravest first.
        needed_iou: that the site asks for, if any.
        by_cost: whether misses and false alarms are told at the alarm threshold that costs least.
        draws: of shots that the options were measured with.
        uncertainty: of the site's amounts, as a share.
        missing: what was not measured, for want of time or of pictures.
        licence: of the pictures.
        people: whether people can be seen; None: nobody has looked.
        facts: how to trace it: name to value.
    """

    name: str
    question: str | None
    data: str
    pictures: int
    classes: Mapping[str, int]
    empty: int
    tested: int
    conditions: Sequence[Condition]
    note: str | None
    checks: Sequence[Check]
    baseline: str
    options: Sequence[Option]
    curve: Sequence[CurvePoint]
    enough: int | None
    cells: Sequence[Cell]
    failures: Sequence[Failure]
    forgetting: Forgetting
    worths: Sequence[Worth]
    decision: Decision
    recommended: str
    reasons: Sequence[Reason]
    needed_iou: float | None = None
    by_cost: bool = False
    draws: int = 1
    uncertainty: float = 0.0
    missing: Sequence[Missing] = ()
    licence: str | None = None
    people: bool | None = None
    facts: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def option(self) -> Option:
        """The recommended one."""
        return next(option for option in self.options if option.method == self.recommended)

    @property
    def worth(self) -> Worth | None:
        """What the recommended option brings."""
        return next((worth for worth in self.worths if worth.method == self.recommended), None)


@dataclass(frozen=True, eq=False)
class Document:
    """The report.

    Attributes:
        title: of the site.
        currency: behind amounts.
        cases: one or several.
        licences: (what, licence, remark) of models and libraries.
        privacy: the site's own remarks.
        facts: how the run was made: name to value.
    """

    title: str
    currency: str
    cases: Sequence[CaseReport]
    licences: Sequence[tuple[str, str, str]]
    privacy: str | None
    facts: Mapping[str, str]
