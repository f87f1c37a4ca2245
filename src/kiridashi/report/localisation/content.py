"""What the report of a localisation says, worked out before it is laid out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median

from kiridashi.core.adapters.overlay import Colour, colour_of
from kiridashi.report.localisation.stages import SOURCES, ChoiceNote, Outcome
from kiridashi.report.page.content import Results, last_counts, model_rows
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.thumbnails import embed_file
from kiridashi.report.records import Record

# Three panels of some 25 kB together keep the file near 4 MB.
SHOWN, SIDE = 150, 1020
# More names than this make a table that nobody reads; annotations.json has them all.
SHOWN_CLASSES = 100
SHOWN_SCORES = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Localisations(Results):
    """All that the report is made of.

    Attributes:
        stages: from a stem to the picture of its stages.
        numbers: of each class, which give the colours.
        network: folder of the trained network.
        facts: how the run was made, by the keys of `messages.toml`.
        pseudo: where masks were written as samples, if anywhere.
    """

    stages: Callable[[str], Path]
    numbers: Mapping[str, int]
    network: str
    facts: Mapping[str, str] = field(default_factory=dict)
    pseudo: str | None = None

    @cached_property
    def outcomes(self) -> list[tuple[Record, Outcome]]:
        """Records that have a result with their outcomes, the most doubtful first.

        Raises:
            InputError: a record is of another verb.
        """
        found = [(record, Outcome.of(record)) for record in self.usable]
        return sorted(found, key=lambda each: (-each[1].doubt, each[0].file))


@dataclass(frozen=True)
class Row:
    """What became of one class.

    Attributes:
        name: of the class.
        colour: in the pictures.
        pictures: how many it was found in.
        objects: how many masks it has.
        by_source: how many of them came from where, by the names of `SOURCES`.
        match: median likeness of the chosen masks to the coarse map; None without any.
    """

    name: str
    colour: Colour
    pictures: int
    objects: int
    by_source: Mapping[str, int]
    match: float | None


@dataclass(frozen=True, eq=False)
class Card:
    """One picture as it is shown.

    Attributes:
        record: of the picture.
        outcome: of it.
        strip: its stages, embedded; None when the file is gone.
        notes: each choice with the colour of its class.
        scores: of the best classes.
    """

    record: Record
    outcome: Outcome
    strip: str | None
    notes: tuple[tuple[Colour, ChoiceNote], ...]
    scores: tuple[tuple[str, float], ...]


def counts(results: Localisations, say: Messages) -> list[tuple[str, str]]:
    """The figures at the top: (figure, what it counts)."""
    outcomes = [outcome for _, outcome in results.outcomes]
    notes = sum(len(outcome.notes) for outcome in outcomes)
    fallbacks = sum(outcome.fallbacks for outcome in outcomes)
    figures = [
        (f"{len(results.records):,}", say("pictures")),
        (f"{sum(bool(outcome.notes) for outcome in outcomes):,}", say("with_finds")),
        (f"{sum(not outcome.notes for outcome in outcomes):,}", say("nothing_found")),
        (f"{notes:,}", say("objects")),
    ]
    if notes:
        figures.append((f"{100 * fallbacks / notes:.0f} %", say("fallbacks")))
    return figures + last_counts(results, say)


def rows(results: Localisations) -> list[Row]:
    """All classes, those with the most masks first."""
    notes: dict[str, list[ChoiceNote]] = {name: [] for name in results.numbers}
    pictures = dict.fromkeys(results.numbers, 0)
    for _, outcome in results.outcomes:
        for note in outcome.notes:
            notes.setdefault(note.label, []).append(note)
        for label in {note.label for note in outcome.notes}:
            pictures[label] = pictures.get(label, 0) + 1
    made = [
        Row(
            name,
            _colour(results, name),
            pictures[name],
            len(each),
            {source: sum(note.source == source for note in each) for source in SOURCES},
            median(note.match for note in each) if each else None,
        )
        for name, each in notes.items()
    ]
    return sorted(made, key=lambda row: -row.objects)


def cards(results: Localisations) -> list[Card]:
    """The pictures that need a look the most."""
    return [
        Card(
            record,
            outcome,
            embed_file(results.stages(record.stem), SIDE),
            tuple((_colour(results, note.label), note) for note in outcome.notes),
            tuple(list(outcome.class_scores.items())[:SHOWN_SCORES]),
        )
        for record, outcome in results.outcomes[:SHOWN]
    ]


def why(note: ChoiceNote, say: Messages) -> str:
    """Why a mask was chosen, in the reader's language."""
    key = "why_" + note.reason.replace(" ", "_")
    return say(key, match=f"{note.match:.2f}") if say.has(key) else note.why


def match_scores(results: Localisations) -> list[float]:
    """Likeness to the coarse map of all choices."""
    return [note.match for _, outcome in results.outcomes for note in outcome.notes]


def provenance(results: Localisations, say: Messages) -> list[tuple[str, str]]:
    """How the run was made, and the model."""
    pseudo: Sequence[tuple[str, str]] = [(say("pseudo"), results.pseudo)] if results.pseudo else ()
    return [
        (say("network"), results.network),
        *((say(key), value) for key, value in results.facts.items()),
        *pseudo,
        *model_rows(results.card, say),
    ]


def _colour(results: Localisations, name: str) -> Colour:
    return colour_of(results.numbers.get(name, 1))
