"""What the report of an evaluation says, worked out before it is laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from kiridashi.core.errors import KiridashiError
from kiridashi.evaluate.cdfss.bridges import BridgeRow
from kiridashi.evaluate.cdfss.lines import Line
from kiridashi.evaluate.cdfss.summary import ALL_SETS, Row, by_class
from kiridashi.evaluate.cdfss.tasks import Task
from kiridashi.evaluate.episodes import Episode
from kiridashi.evaluate.intervals import Interval
from kiridashi.report.judged import judged, marked
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.thumbnails import embed

# Some eight pictures of 10 kB a strip keep the file near 3 MB.
SHOWN_STRIPS, SIDE = 30, 260
SHOWN_FAILURES = 50
# More classes than this make a table that nobody reads; results.jsonl has them.
SHOWN_CLASSES = 30


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that the report is made of.

    Attributes:
        rows: of the table.
        lines: of the run, in order.
        tasks: the sets, to read pictures from.
        methods: names in order; differences are to the first.
        facts: how the run was made, by the keys of `messages.toml`.
        bridges: of methods that choose their way; none for others.
    """

    rows: Sequence[Row]
    lines: Sequence[Line]
    tasks: Sequence[Task]
    methods: Sequence[str]
    facts: Mapping[str, str]
    bridges: Sequence[BridgeRow] = ()

    @property
    def failed(self) -> list[Line]:
        """Lines without a result."""
        return [line for line in self.lines if line.error is not None]


@dataclass(frozen=True)
class Group:
    """The rows of one set and number of shots."""

    name: str
    shots: int
    rows: tuple[Row, ...]
    classes: tuple[tuple[str, tuple[float | None, ...]], ...]


@dataclass(frozen=True)
class Strip:
    """One episode: its pictures in a row, each with what stands below it."""

    title: str
    panels: tuple[tuple[str, str], ...]


def counts(evaluation: Evaluation, say: Messages) -> list[tuple[str, str]]:
    """The figures at the top: (figure, what it counts)."""
    episodes = {line.key[:-1] for line in evaluation.lines}
    figures = [
        (f"{len(evaluation.tasks):,}", say("sets")),
        (f"{len(evaluation.methods):,}", say("methods")),
        (f"{len(episodes):,}", say("episodes")),
    ]
    if evaluation.failed:
        figures.append((f"{len(evaluation.failed):,}", say("failed_count")))
    return figures


def groups(evaluation: Evaluation, say: Messages) -> list[Group]:
    """The table's rows by set and shots, means first, each with the IoU by class and method."""
    keys = dict.fromkeys((row.set, row.shots) for row in evaluation.rows)
    found = []
    for name, shots in sorted(keys, key=lambda key: key[0] != ALL_SETS):
        rows = tuple(row for row in evaluation.rows if (row.set, row.shots) == (name, shots))
        shown = say("all_sets") if name == ALL_SETS else name
        classes = _classes(evaluation, name, shots, [row.method for row in rows])
        found.append(Group(shown, shots, rows, classes))
    return found


def bar(interval: Interval) -> tuple[float, float, float]:
    """(left, width, point) of an interval of shares on a scale of 0 to 100."""
    low, high, point = (100 * min(max(v, 0.0), 1.0) for v in (interval.low, interval.high, interval.mean))
    return low, high - low, point


def strips(evaluation: Evaluation, say: Messages) -> list[Strip]:
    """Episodes of every set, those with the lowest mean IoU over the methods first."""
    by_episode: dict[tuple[str, int, int, int], list[Line]] = {}
    for line in evaluation.lines:
        if line.counts is not None:
            by_episode.setdefault(line.key[:-1], []).append(line)
    cells: dict[tuple[str, int], list[list[Line]]] = {}
    for lines in by_episode.values():
        cells.setdefault((lines[0].key.set, lines[0].key.shots), []).append(lines)
    each = max(2, SHOWN_STRIPS // max(len(cells), 1))
    tasks = {task.name: task for task in evaluation.tasks}
    shown = []
    for (name, _), episodes in cells.items():
        episodes.sort(key=lambda lines: mean(_iou(line) for line in lines))
        shown += [strip for lines in episodes[:each] if (strip := _strip(tasks[name], lines, say))]
    return shown


def _classes(
    evaluation: Evaluation, name: str, shots: int, methods: Sequence[str]
) -> tuple[tuple[str, tuple[float | None, ...]], ...]:
    lines = [line for line in evaluation.lines if (line.key.set, line.key.shots) == (name, shots)]
    ious = [by_class([line for line in lines if line.key.method == method]) for method in methods]
    labels = list(dict.fromkeys(line.episode.label for line in lines if line.counts is not None))
    if not 1 < len(labels) <= SHOWN_CLASSES:
        return ()
    return tuple((label, tuple(each.get(label) for each in ious)) for label in labels)


def _strip(task: Task, lines: Sequence[Line], say: Messages) -> Strip | None:
    episode, key = lines[0].episode, lines[0].key
    try:
        query = task.read(episode.query, episode.label)
        reference = task.read(episode.supports[0], episode.label)
    except KiridashiError:  # the pictures have gone since
        return None
    more = len(episode.supports) - 1
    below = say("reference_more", count=more) if more else say("reference")
    panels = [
        (below, marked(reference.picture, reference.mask)),
        (say("target"), query.picture.pixels),
        (say("truth"), marked(query.picture, query.mask)),
    ]
    panels += [
        (f"{line.key.method} · IoU {100 * _iou(line):.0f}", judged(query, line.mask))
        for line in lines
        if line.mask is not None and line.mask.size == query.picture.size
    ]
    title = _title(key.set, key.shots, episode, say)
    return Strip(title, tuple((text, embed(pixels, SIDE)) for text, pixels in panels))


def _title(name: str, shots: int, episode: Episode, say: Messages) -> str:
    # Ids often begin with their class.
    query = episode.query.removeprefix(f"{episode.label}/").removeprefix(f"{episode.label}_")
    return say("strip", set=name, shots=shots, label=episode.label, query=query)


def _iou(line: Line) -> float:
    return line.counts.iou if line.counts is not None else 0.0
