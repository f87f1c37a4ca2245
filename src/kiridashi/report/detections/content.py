"""What the report of a detection says, worked out before it is laid out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from kiridashi.core.adapters.overlay import Colour, colour_of
from kiridashi.report.page.content import RESULT_SIDE, SHOWN_RESULTS, Results, last_counts, model_rows
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.thumbnails import embed_file
from kiridashi.report.records import Json, Record, label_counts

# More names than this make a table that nobody reads; annotations.json has them all.
SHOWN_CLASSES = 200
NAMED_CLASSES = 60


@dataclass(frozen=True)
class KnownClass:
    """A class that was looked for.

    Attributes:
        name: of the class.
        number: that gives its colour.
        shots: how many samples it was made from.
    """

    name: str
    number: int
    shots: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Detections(Results):
    """All that the report is made of.

    Attributes:
        classes: that were looked for.
        registry: their file.
        event: id of the event that left the registry as it was used.
        background: number of background samples in it.
        facts: how the run was made, by the keys of `messages.toml`.
    """

    classes: Sequence[KnownClass]
    registry: str
    event: int
    background: int
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def ordered(self) -> list[Record]:
        """Records with a result: what has doubtful objects first, what is surest and what is empty last."""
        return sorted(self.usable, key=_certainty)


@dataclass(frozen=True)
class Row:
    """What became of one class.

    Attributes:
        known: the class.
        objects: how many were found.
        pictures: in how many pictures.
        lowest: of their scores.
        middle: the median of their scores.
        doubtful: how many doubtful objects resemble it most.
    """

    known: KnownClass
    objects: int
    pictures: int
    lowest: float | None
    middle: float | None
    doubtful: int


@dataclass(frozen=True, eq=False)
class Card:
    """One picture as it is shown.

    Attributes:
        record: of the picture.
        overlay: embedded; None when the file is gone.
        labels: name, colour and number of objects of each class in it.
        doubts: what its doubtful objects resemble, and how many do.
        lowest: score of its least certain object; None without objects.
    """

    record: Record
    overlay: str | None
    labels: tuple[tuple[str, Colour, int], ...]
    doubts: tuple[tuple[str, int], ...]
    lowest: float | None


def counts(detections: Detections, say: Messages) -> list[tuple[str, str]]:
    """The figures at the top: (figure, what it counts)."""
    usable = detections.usable
    return [
        (f"{len(detections.records):,}", say("pictures")),
        (f"{sum(record.found for record in usable):,}", say("with_objects")),
        (f"{sum(len(record.instances) for record in usable):,}", say("objects")),
        (f"{sum(len(record.doubtful) for record in usable):,}", say("doubtful")),
        *last_counts(detections, say),
    ]


def rows(detections: Detections) -> list[Row]:
    """The classes that were found or resembled, those with the most objects first."""
    found: dict[str, list[float]] = {}
    pictures: Counter[str] = Counter()
    unsure: Counter[str] = Counter()
    for record in detections.usable:
        pictures.update({each["label"] for each in record.instances})
        unsure.update(each["label"] for each in record.doubtful)
        for each in record.instances:
            found.setdefault(each["label"], []).append(_score(each))
    made = [
        Row(
            known,
            len(scores := found.get(known.name, [])),
            pictures[known.name],
            min(scores, default=None),
            median(scores) if scores else None,
            unsure[known.name],
        )
        for known in detections.classes
        if known.name in found or known.name in unsure
    ]
    return sorted(made, key=lambda row: (-row.objects, -row.doubtful))


def missing(detections: Detections, shown: Sequence[Row], say: Messages) -> str | None:
    """The classes of which nothing was seen, in a sentence; None when there are none."""
    seen = {row.known.name for row in shown}
    names = [known.name for known in detections.classes if known.name not in seen]
    if not names:
        return None
    listed = say("comma").join(names[:NAMED_CLASSES])
    if len(names) <= NAMED_CLASSES:
        return say("not_found", list=listed)
    return say("not_found_more", list=listed, count=len(names) - NAMED_CLASSES)


def scores(detections: Detections) -> list[float]:
    """Of all objects."""
    return [_score(each) for record in detections.usable for each in record.instances]


def cards(detections: Detections) -> list[Card]:
    """The pictures that need a look the most."""
    colours = {known.name: colour_of(known.number) for known in detections.classes}
    return [
        Card(
            record,
            embed_file(detections.overlays(record.stem), RESULT_SIDE),
            tuple((name, colours[name], count) for name, count in label_counts([record]).items()),
            tuple(Counter(each["label"] for each in record.doubtful).most_common()),
            _lowest(record),
        )
        for record in detections.ordered[:SHOWN_RESULTS]
    ]


def provenance(detections: Detections, say: Messages) -> list[tuple[str, str]]:
    """How the run was made, and the model."""
    state = say(
        "after_event",
        event=detections.event,
        classes=len(detections.classes),
        background=detections.background,
    )
    return [
        (say("registry"), detections.registry),
        (say("registry_event"), state),
        *((say(key), value) for key, value in detections.facts.items()),
        *model_rows(detections.card, say),
    ]


def _certainty(record: Record) -> tuple[bool, float]:
    lowest = _lowest(record)
    return not record.doubtful, 2.0 if lowest is None else lowest


def _lowest(record: Record) -> float | None:
    return min((_score(each) for each in record.instances), default=None)


def _score(instance: Json) -> float:
    return float(instance["score"] or 0.0)
