"""What the report says, worked out before it is laid out."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from kiridashi.core.adapters.overlay import draw_overlay
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments
from kiridashi.models.catalogue import ModelCard
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.thumbnails import embed, embed_file
from kiridashi.report.records import BRIDGE, CYCLE, Record, bridge_counts

# 200 pictures of some 20 kB each keep the file near 5 MB.
SHOWN_RESULTS, RESULT_SIDE = 200, 360
# A strip has some 10 kB; beyond this number they are in the folder only.
SHOWN_STRIPS, STRIP_SIDE = 100, 960
SHOWN_REFERENCES, REFERENCE_SIDE = 12, 480
SHOWN_NEGATIVES, NEGATIVE_SIDE = 12, 240
BINS = 40
# Fewer scores than this make no distribution.
LEAST_SCORES = 8


@dataclass(frozen=True)
class Timing:
    """Seconds for loading and learning, and for this run's pass over the pictures."""

    learning: float
    pictures: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Results:
    """What every report on pictures is made of.

    Attributes:
        records: the result of every picture.
        overlays: from a stem to its overlay file.
        card: of the model.
        timing: of this run.
    """

    records: Sequence[Record]
    overlays: Callable[[str], Path]
    card: ModelCard
    timing: Timing

    @property
    def usable(self) -> list[Record]:
        """Records with a result, lowest score first."""
        usable = [record for record in self.records if record.error is None]
        return sorted(usable, key=lambda record: -1.0 if record.score is None else record.score)

    @property
    def failed(self) -> list[Record]:
        """Records without a result."""
        return [record for record in self.records if record.error is not None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Report(Results):
    """All that a report on what references show is made of.

    Attributes:
        references: what was shown.
        negatives: what it is not.
        method: name of the method.
        plain: whether verdict, check and split were off.
        seed: of the method.
        strips: from a stem to its transition strip, which need not be there.
        transition: settings of the way from reference to picture, by the keys of the run's settings.
    """

    references: Sequence[Reference]
    negatives: Sequence[Negative]
    method: str
    plain: bool
    seed: int
    strips: Callable[[str], Path] | None = None
    transition: Mapping[str, Any] = field(default_factory=dict)


def counts(report: Report, say: Messages) -> list[tuple[str, str]]:
    """The figures at the top: (figure, what it counts)."""
    usable = report.usable
    figures = [(f"{len(report.records):,}", say("pictures"))]
    if any(record.present is not None for record in usable):
        figures.append((f"{sum(record.present is True for record in usable):,}", say("present")))
        figures.append((f"{sum(record.present is False for record in usable):,}", say("absent")))
    figures.append((f"{sum(len(record.instances) for record in usable):,}", say("objects")))
    return figures + last_counts(report, say)


def last_counts(results: Results, say: Messages) -> list[tuple[str, str]]:
    """The figures that end every report's row: what failed, and how fast it was."""
    usable, failed = results.usable, results.failed
    figures = [(f"{len(failed):,}", say("not_done"))] if failed else []
    if usable:
        seconds = max(median(record.seconds for record in usable), 1e-4)
        rate = 1 / seconds
        if rate < 1:
            figures.append((f"{seconds:.{1 if seconds < 100 else 0}f}", say("seconds_each")))
        else:
            figures.append((f"{rate:.{1 if rate < 10 else 0}f}", say("per_second")))
    return figures


def reference_pictures(references: Sequence[Reference]) -> list[tuple[str, str]]:
    """(name, embedded picture with the mask outlined) of the references that are shown."""
    return [
        (each.picture.name, embed(_outlined(each), REFERENCE_SIDE)) for each in references[:SHOWN_REFERENCES]
    ]


def negative_pictures(negatives: Sequence[Negative]) -> list[tuple[str, str]]:
    """(name, embedded picture) of the negatives that are shown."""
    return [
        (each.picture.name, embed(each.picture.pixels, NEGATIVE_SIDE)) for each in negatives[:SHOWN_NEGATIVES]
    ]


@dataclass(frozen=True, eq=False)
class Card:
    """One result as it is shown.

    Attributes:
        record: of the picture.
        overlay: embedded; None when the file is gone.
        strip: embedded; None where no frames lay on the way.
    """

    record: Record
    overlay: str | None
    strip: str | None = None


def cards(report: Report) -> list[Card]:
    """The records with the lowest scores, with their overlays and transition strips."""
    shown = []
    left = SHOWN_STRIPS
    for record in report.usable[:SHOWN_RESULTS]:
        strip = None
        if report.strips is not None and record.bridge is not None and left:
            strip = embed_file(report.strips(record.stem), STRIP_SIDE)
            left -= strip is not None
        shown.append(Card(record, embed_file(report.overlays(record.stem), RESULT_SIDE), strip))
    return shown


def bridges(report: Report, say: Messages) -> list[str]:
    """How often each bridge was taken, in sentences; none for methods without bridges."""
    taken = bridge_counts(report.records)
    if not taken:
        return []
    listed = [say("of_bridge", bridge=bridge_name(name, say), count=count) for name, count in taken.items()]
    told = [say("bridges", list=say("comma").join(listed))]
    cycles = [record.cycle for record in report.usable if record.cycle is not None]
    return told + ([say("cycles", mean=f"{mean(cycles):.2f}")] if cycles else [])


def bridge_name(name: str, say: Messages) -> str:
    """A bridge as the reader should know it."""
    key = "bridge_" + name.replace("-", "_")
    return say(key) if say.has(key) else name


def shortener(results: Results) -> Callable[[str], str]:
    """A function that leaves out the folder that all files have in common."""
    folders = [str(Path(record.file).parent) for record in results.usable]
    try:
        common = Path(os.path.commonpath(folders)) if folders else Path()
    except ValueError:  # relative and absolute paths, or several drives
        return str
    return lambda file: str(Path(file).relative_to(common)) if Path(file).is_relative_to(common) else file


def histogram(report: Report) -> dict[str, Any] | None:
    """Bars of the pictures' scores with the median threshold; None for a few."""
    scores = [record.score for record in report.usable if record.score is not None]
    limits = [record.threshold for record in report.usable if record.threshold is not None]
    return bars_of(scores, median(limits) if limits else None)


def bars_of(scores: Sequence[float], limit: float | None = None) -> dict[str, Any] | None:
    """Bars of scores in 0..1 with the share of the tallest, and a threshold; None for a few."""
    if len(scores) < LEAST_SCORES:
        return None
    heights, _ = np.histogram(np.clip(scores, 0, 1), bins=BINS, range=(0, 1))
    threshold = None if limit is None else float(np.clip(limit, 0, 1))
    bars = [
        {"x": index / BINS, "height": float(count / heights.max()), "count": int(count)}
        for index, count in enumerate(heights)
        if count
    ]
    return {"bars": bars, "threshold": threshold, "width": 1 / BINS}


def times(results: Results, say: Messages, preparing: str = "learning") -> list[tuple[str, str]]:
    """What took how long; `preparing` is the key of what came before the pictures."""
    seconds = [record.seconds for record in results.usable]
    rows = [(say(preparing), results.timing.learning)]
    if seconds:
        rows += [(say("per_picture"), median(seconds)), (say("slowest"), max(seconds))]
    rows.append((say("this_run"), results.timing.pictures))
    return [(name, f"{value:.2f} s" if value < 100 else f"{value:,.0f} s") for name, value in rows]


def provenance(report: Report, say: Messages) -> list[tuple[str, str]]:
    """Method, model, and every remark that the results carry; with counts where results differ."""
    rows = [
        (say("method"), report.method),
        (say("switches"), say("plain" if report.plain else "automatic")),
        (say("seed"), str(report.seed)),
        *((say(key.replace(" ", "_")), str(value)) for key, value in report.transition.items() if value),
        *model_rows(report.card, say),
    ]
    remarks: dict[str, Counter[str]] = {}
    for record in report.usable:
        for key, value in record.provenance.items():
            remarks.setdefault(key, Counter())[str(value)] += 1
    # The bridges have their own line, and a list of figures tells nothing.
    said = {"method", "model", "seed", BRIDGE, CYCLE}
    rows += [
        (say(key) if key == "refinement" else key, _values(values, say))
        for key, values in remarks.items()
        if key not in said
    ]
    return rows


def model_rows(card: ModelCard, say: Messages) -> list[tuple[str, str]]:
    """What the card says of the model."""
    rows = [
        (say("model"), f"{card.name}: {card.summary}"),
        (say("parameters"), f"{card.parameters:,}" if card.parameters else "-"),
        (say("licence"), card.licence),
        (say("source"), card.source),
    ]
    return [*rows, (say("note"), card.note)] if card.note else rows


def _values(values: Counter[str], say: Messages) -> str:
    """The one value, or the most frequent ones with their counts."""
    if len(values) == 1:
        return next(iter(values))
    listed = [say("of_pictures", value=value, count=count) for value, count in values.most_common(4)]
    return "; ".join(listed) + ("; ..." if len(values) > len(listed) else "")


def _outlined(reference: Reference) -> Any:
    picture = Picture(reference.picture.pixels, reference.picture.name)
    marked = Segments(picture.size, (Segment(reference.mask, 1.0, ""),))
    line = max(2, round(max(picture.size) / 200))
    return draw_overlay(picture, marked, alpha=0.15, line=line)
