"""What the report of a comparison says, worked out before it is laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from kiridashi.core.errors import KiridashiError
from kiridashi.evaluate.intervals import LEAST, Interval
from kiridashi.evaluate.pictures.costs import CostRow, Prices
from kiridashi.evaluate.pictures.drawing import left_out
from kiridashi.evaluate.pictures.lines import Line
from kiridashi.evaluate.pictures.measuring import Plan
from kiridashi.evaluate.pictures.summary import ALL, Row, summarise
from kiridashi.evaluate.pictures.tags import TagRow
from kiridashi.models.catalogue import find_card
from kiridashi.report.charts import learning
from kiridashi.report.charts.learning import CurvePoint
from kiridashi.report.judged import judged, marked
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.thumbnails import embed
from kiridashi.report.pictures.statements import statement

# Some six pictures of 10 kB a strip keep the file near 3 MB.
SHOWN_STRIPS, SIDE = 40, 260
SHOWN_FAILURES = 50
# Classes whose rows are told one by one; table.csv has all.
SHOWN_CLASSES = 30


@dataclass(frozen=True, eq=False)
class Comparison:
    """All that the report is made of.

    Attributes:
        plan: what was compared; its source is read for the gallery.
        rows: of `summarise`.
        lines: of the run, in order.
        by_tag: figures by condition; none without tags.
        costs: of mistakes; none without prices.
        prices: of a false alarm and a miss; None: not given.
        model: name of the model.
        left_out: pictures that cannot be used, and why.
    """

    plan: Plan
    rows: Sequence[Row]
    lines: Sequence[Line]
    by_tag: Sequence[TagRow]
    costs: Sequence[CostRow]
    prices: Prices | None
    model: str
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> list[Line]:
        """Lines without a result."""
        return [line for line in self.lines if line.error is not None]

    @property
    def methods(self) -> list[str]:
        """Names, in order."""
        return list(self.plan.methods)

    @property
    def whole(self) -> str:
        """The name of the rows that stand for the set: the mean over classes, or its only class."""
        labels = [row.label for row in self.rows]
        return ALL if ALL in labels else labels[0] if labels else ALL


@dataclass(frozen=True)
class Group:
    """The rows of one class and number of shots."""

    name: str
    shots: int
    rows: tuple[Row, ...]
    classes: int


@dataclass(frozen=True)
class Strip:
    """One picture: what is there, and what each method made of it."""

    title: str
    panels: tuple[tuple[str, str], ...]


def counts(comparison: Comparison, say: Messages) -> list[tuple[str, str]]:
    """The figures at the top: (figure, what it counts)."""
    pictures = {line.key.picture for line in comparison.lines}
    labels = {line.key.label for line in comparison.lines}
    figures = [
        (f"{len(pictures):,}", say("pictures")),
        (f"{len(labels):,}", say("classes")),
        (f"{len(comparison.methods):,}", say("methods")),
        (f"{len(comparison.plan.seeds):,}", say("draws")),
    ]
    if comparison.failed:
        figures.append((f"{len(comparison.failed):,}", say("failed_count")))
    if comparison.left_out:
        figures.append((f"{len(comparison.left_out):,}", say("left_out_count")))
    return figures


def in_short(comparison: Comparison, say: Messages) -> list[str]:
    """The findings at the most shots: the best outlines, and each method against the first."""
    rows = [row for row in comparison.rows if row.label == comparison.whole and "iou" in row.figures]
    if not rows:
        return []
    most = max(row.shots for row in rows)
    last = [row for row in rows if row.shots == most]
    best = max(last, key=lambda row: row.figures["iou"].mean)
    figure = best.figures["iou"]
    told = [
        say(
            "best" if figure.count >= LEAST else "best_few",
            method=best.method,
            shots=most,
            mean=f"{100 * figure.mean:.1f}",
            low=f"{100 * figure.low:.1f}",
            high=f"{100 * figure.high:.1f}",
            count=figure.count,
        )
    ]
    first = comparison.methods[0]
    for row in last:
        for measure in ("iou", "found", "quiet"):
            lead = row.lead.get(measure)
            # Of verdicts only what is certain is worth a sentence.
            if lead is not None and (measure == "iou" or lead.standing != "open"):
                told.append(statement(row.method, first, measure, lead, say))
    return told


def groups(comparison: Comparison, say: Messages) -> tuple[list[Group], list[Group]]:
    """The groups of the whole set, and those of single classes."""
    keys = dict.fromkeys((row.label, row.shots) for row in comparison.rows)
    every = [
        Group(
            say("all_classes") if label == ALL else label,
            shots,
            tuple(row for row in comparison.rows if (row.label, row.shots) == (label, shots)),
            _classes(comparison, shots) if label == ALL else 1,
        )
        for label, shots in keys
    ]
    of_whole = [label == comparison.whole for label, _ in keys]
    whole = [group for group, inside in zip(every, of_whole, strict=True) if inside]
    others = [group for group, inside in zip(every, of_whole, strict=True) if not inside]
    return whole, others[: SHOWN_CLASSES * len(whole)]


def _classes(comparison: Comparison, shots: int) -> int:
    return len({line.key.label for line in comparison.lines if line.key.shots == shots})


def bar(interval: Interval) -> tuple[float, float, float]:
    """(left, width, point) of an interval of shares on a scale of 0 to 100."""
    low, high, point = (100 * min(max(v, 0.0), 1.0) for v in (interval.low, interval.high, interval.mean))
    return low, high - low, point


def curve(comparison: Comparison, say: Messages) -> str | None:
    """The learning curve of the classes that have every number of shots, as SVG; None: there are no two."""
    short = left_out(comparison.plan.source, comparison.plan.shots)
    rows = list(comparison.rows)
    if short:
        full = [line for line in comparison.lines if line.key.label not in short]
        rows = summarise(full, comparison.methods, measures=["iou"])
    labels = [row.label for row in rows]
    whole = ALL if ALL in labels else next(iter(labels), ALL)
    rows = [row for row in rows if row.label == whole and "iou" in row.figures]
    if len({row.shots for row in rows}) < 2:
        return None
    points = [CurvePoint(row.method, row.shots, row.figures["iou"]) for row in rows]
    return learning.draw(points, say("curve"), say("across"), say("upwards"), None)


def strips(comparison: Comparison, say: Messages) -> list[Strip]:
    """Pictures of every class at the most shots of the first draw, those that went worst first.

    How it went: the IoU where the class is, 1 or 0 for silence or a false alarm where it is not; the mean
    over the methods.
    """
    scored = [line for line in comparison.lines if line.score is not None and not line.key.view]
    most: dict[str, tuple[int, int]] = {}
    for line in scored:
        key = line.key
        known = most.get(key.label)
        most[key.label] = (-key.seed, key.shots) if known is None else max(known, (-key.seed, key.shots))
    asked: dict[tuple[str, str], list[Line]] = {}
    for line in scored:
        if (-line.key.seed, line.key.shots) == most[line.key.label]:
            asked.setdefault((line.key.label, line.key.picture), []).append(line)
    ranked = sorted(asked.values(), key=lambda lines: mean(_worth(line) for line in lines))
    # Pictures without a fault of any method are no failures.
    failures = [lines for lines in ranked if min(_worth(line) for line in lines) < 1]
    return [strip for lines in failures[:SHOWN_STRIPS] if (strip := _strip(comparison, lines, say))]


def facts(comparison: Comparison, say: Messages) -> list[tuple[str, str]]:
    """How the comparison was made."""
    plan, card = comparison.plan, find_card(comparison.model)
    without = left_out(plan.source, plan.shots)
    short = "; ".join(f"{label}: {', '.join(map(str, numbers))}" for label, numbers in without.items())
    rows = [
        (say("set"), plan.source.name),
        (say("model"), f"{card.name}: {card.summary}"),
        (say("drawing"), say("drawing_rule")),
        (say("seeds"), ", ".join(map(str, plan.seeds))),
        (say("negatives"), str(plan.negatives)),
        (say("most"), say("every") if plan.most is None else str(plan.most)),
        *([(say("too_few"), short)] if short else []),
        *([(say("twins"), ", ".join(plan.twins))] if plan.twins else []),
        (say("figures"), say("figures_note")),
        (say("verdict"), say("verdict_note")),
        (say("objects"), say("objects_note")),
        (say("intervals"), say("intervals_note")),
        (say("timing"), say("timing_note")),
    ]
    names = [f"about_{name}" for name in comparison.methods]
    return rows + [
        (name, say(key)) for name, key in zip(comparison.methods, names, strict=True) if say.has(key)
    ]


def _strip(comparison: Comparison, lines: Sequence[Line], say: Messages) -> Strip | None:
    key, there = lines[0].key, lines[0].there
    source = comparison.plan.source
    try:
        query = source.read(key.picture, key.label)
        reference = source.read(lines[0].supports[0], key.label)
    except KiridashiError:  # the pictures have gone since
        return None
    more = len(lines[0].supports) - 1
    panels = [
        (
            say("reference_more", count=more) if more else say("reference"),
            marked(reference.picture, reference.mask),
        ),
        (say("truth" if there else "nothing_there"), marked(query.picture, query.mask)),
    ]
    panels += [
        (_below(line, say), judged(query, line.score.mask))
        for line in lines
        if line.score is not None and line.score.mask.size == query.picture.size
    ]
    title = say("strip", label=key.label, shots=key.shots, picture=key.picture)
    return Strip(title, tuple((text, embed(pixels, SIDE)) for text, pixels in panels))


def _below(line: Line, say: Messages) -> str:
    score = line.score
    if score is None:
        return line.key.method
    if line.there and not score.said:
        return say("missed_by", method=line.key.method)
    if line.there:
        return f"{line.key.method} · IoU {100 * score.figures.iou:.0f}"
    return say("alarm_by" if score.said else "quiet_by", method=line.key.method)


def _worth(line: Line) -> float:
    if line.score is None:
        return 1.0
    return line.score.figures.iou if line.there else float(not line.score.said)


def conditions(comparison: Comparison) -> dict[str, list[TagRow]]:
    """The rows of each condition at the most shots."""
    most = max((row.shots for row in comparison.by_tag), default=0)
    found: dict[str, list[TagRow]] = {}
    for row in comparison.by_tag:
        if row.shots == most:
            found.setdefault(row.condition, []).append(row)
    return found


def prices_told(comparison: Comparison) -> Mapping[str, str]:
    """What mistakes cost, to fill a text in."""
    prices = comparison.prices
    if prices is None:
        return {}
    rate = "" if prices.rate is None else f"{100 * prices.rate:g}"
    return {"alarm": f"{prices.false_alarm:g}", "miss": f"{prices.miss:g}", "rate": rate}
