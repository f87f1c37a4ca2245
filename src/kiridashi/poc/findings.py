"""From the lines of a trial to what the report says of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from kiridashi.core.errors import KiridashiError, UsageError
from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.pictures import Line, Row, summarise
from kiridashi.evaluate.pictures.measuring import AS_IT_IS
from kiridashi.evaluate.pictures.summary import ALL
from kiridashi.poc.money import Measured, rate_of, worth
from kiridashi.poc.money.alarms import mistakes, stops
from kiridashi.poc.site import UseCase
from kiridashi.poc.trial import Trial
from kiridashi.poc.trial.schedule import Unit
from kiridashi.poc.trial.views import view_parts
from kiridashi.report.charts.learning import CurvePoint
from kiridashi.report.judged import judged, marked
from kiridashi.report.poc.document import Cell, Failure, Option, Rate, Worth

MEASURE = "iou"
# A number of shots is enough when it reaches this share of the IoU with the most shots.
ENOUGH = 0.95
SHOWN_MISSES, SHOWN_ALARMS = 9, 3
_PLAIN, _SEEN = "plain", "seen"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What stages 1 and 2 say, over units that are complete.

    Attributes:
        shots: the most that all of `methods` were measured with.
        methods: with a result there.
        lines: by number of shots; all methods have the same draws.
        missing: units that are not complete.
    """

    shots: int
    methods: tuple[str, ...]
    lines: Mapping[int, Sequence[Line]]
    missing: tuple[Unit, ...]

    def of(self, method: str, shots: int | None = None) -> list[Line]:
        """The lines of a method."""
        return [line for line in self.lines[shots or self.shots] if line.key.method == method]


def comparison(trial: Trial) -> Comparison:
    """Gather what is complete.

    Raises:
        UsageError: nothing is.
    """
    every = trial.units()
    done = {(unit.shots, unit.seed, unit.method) for unit in every if trial.is_done(unit)}
    lines: dict[int, Sequence[Line]] = {}
    by_shots: dict[int, tuple[str, ...]] = {}
    for shots in trial.shots:
        methods = tuple(name for name in trial.case.methods if (shots, trial.seed, name) in done)
        seeds = {seed for seed in trial.plan.seeds if all((shots, seed, name) in done for name in methods)}
        if methods:
            by_shots[shots] = methods
            lines[shots] = [
                line
                for key in trial.questions()
                if key.shots == shots
                and key.seed in seeds
                and key.method in methods
                and (line := trial.store.get(key)) is not None
            ]
    answered = {shots for shots, some in lines.items() if any(line.score is not None for line in some)}
    if not answered:
        raise UsageError(
            f"{trial.case.name}: no method has answered all that it was asked; "
            "give more minutes and go on with --resume, or see the reasons in results.jsonl"
        )
    # The most shots at which there is something to compare with.
    shots = max(answered, key=lambda number: (trial.case.against in by_shots[number], number))
    kept = tuple(
        name
        for name in by_shots[shots]
        if any(line.score is not None for line in lines[shots] if line.key.method == name)
    )
    missing = tuple(unit for unit in every if (unit.shots, unit.seed, unit.method) not in done)
    return Comparison(shots, kept, {number: lines[number] for number in sorted(answered)}, missing)


def options(found: Comparison, case: UseCase, licences: Mapping[str, str]) -> list[Option]:
    """Every method with the most shots, the highest IoU first."""
    against = case.against if case.against in found.methods else found.methods[-1]
    rows = rows_of(found.lines[found.shots], [against, *(m for m in found.methods if m != against)])
    made = []
    for method, row in rows.items():
        lines = found.of(method)
        missed, alarms = rates(lines, case)
        lead = row.lead.get(MEASURE)
        made.append(
            Option(
                method,
                found.shots,
                row.figures[MEASURE],
                None if method == against or lead is None else lead.difference,
                missed,
                alarms,
                row.fit_seconds,
                median(line.predict_seconds for line in lines if line.score is not None),
                row.peak_mib,
                licences.get(method, ""),
            )
        )
    return sorted(made, key=lambda option: -option.iou.mean)


def rates(lines: Sequence[Line], case: UseCase) -> tuple[Rate, Rate | None]:
    """Shares of misses, and of false alarms; None: no picture is without the object."""
    made = mistakes(lines, case.money)
    return rate_of(made.missed), rate_of(made.alarms) if made.alarms else None


def curve(found: Comparison) -> list[CurvePoint]:
    """The learning curve of every method."""
    return [
        CurvePoint(method, shots, row.figures[MEASURE])
        for shots, lines in found.lines.items()
        for method, row in rows_of(lines, list(found.methods)).items()
    ]


def enough(points: Sequence[CurvePoint], method: str) -> int | None:
    """The fewest shots that reach `ENOUGH` of the IoU with the most; None with one number of shots."""
    own = sorted((point for point in points if point.method == method), key=lambda point: point.shots)
    if len(own) < 2:
        return None
    return next(point.shots for point in own if point.iou.mean >= ENOUGH * own[-1].iou.mean)


def worths(found: Sequence[Option], case: UseCase, classes: int, seed: int) -> list[Worth]:
    """What each option brings, the best first; none where the site gave no money or no good parts are known.

    Args:
        found: the options.
        case: with its money.
        classes: that samples have to be marked for.
        seed: of the intervals.
    """
    if case.money is None:
        return []
    made = [
        worth(
            case.money,
            Measured(one.method, one.missed, one.false_alarms, one.seconds, one.shots * classes),
            seed,
        )
        for one in found
        if one.false_alarms is not None
    ]
    return sorted(made, key=lambda one: -one.net.value)


def cells(trial: Trial, method: str, found: Comparison) -> list[Cell]:
    """What each transformation does to a method; the same pictures as they are and transformed."""
    by_view: dict[str, list[Line]] = {}
    for key in trial.transform_keys(method, found.shots):
        line = trial.store.get(key)
        if line is not None and line.there and line.score is not None:
            by_view.setdefault(key.view, []).append(line)
    plain = {line.key: line for line in found.of(method) if line.there and line.key.seed == trial.seed}
    expected = set(trial.case.conditions.expected)
    made = []
    for view, seen in by_view.items():
        transform, severity = view_parts(view)
        pairs = [(plain[key], line) for line in seen if (key := line.key._replace(view=AS_IT_IS)) in plain]
        if not pairs:
            continue
        both = [line for pair in pairs for line in _relabelled(*pair)]
        rows = rows_of(both, [_PLAIN, _SEEN])
        lead = rows[_SEEN].lead.get(MEASURE) if _SEEN in rows else None
        if lead is not None:
            made.append(
                Cell(
                    method,
                    transform,
                    severity,
                    rows[_SEEN].figures[MEASURE],
                    lead.difference,
                    transform in expected,
                )
            )
    return made


def failures(trial: Trial, method: str, found: Comparison, shown: bool) -> list[Failure]:
    """The worst answers of a method with the most shots: finds first, then false alarms.

    Args:
        trial: whose pictures are read.
        method: that answered.
        found: its lines.
        shown: whether the pictures may be shown.
    """
    lines = [line for line in found.of(method) if line.score is not None]
    there = sorted((line for line in lines if line.there), key=_iou)
    alarms = [line for line, alarm in stops(lines, trial.case.money) if alarm and not line.there]
    alarms.sort(key=lambda line: -(line.score.mask.area if line.score is not None else 0))
    picked = [*_different(there, SHOWN_MISSES), *_different(alarms, SHOWN_ALARMS)]
    return [_failure(trial, line, method, shown) for line in picked]


def rows_of(lines: Sequence[Line], methods: Sequence[str]) -> dict[str, Row]:
    """The row of each method over all classes; the first is the one that leads are to."""
    rows = summarise(lines, methods, measures=(MEASURE,))
    several = any(row.label == ALL for row in rows)
    return {row.method: row for row in rows if MEASURE in row.figures and (not several or row.label == ALL)}


def interval_under(lines: Sequence[Line], method: str) -> Interval | None:
    """The IoU of a method over some lines; None without any."""
    row = rows_of(lines, [method]).get(method)
    return None if row is None else row.figures[MEASURE]


def _relabelled(plain: Line, seen: Line) -> Iterator[Line]:
    for line, name in ((plain, _PLAIN), (seen, _SEEN)):
        yield replace(line, key=line.key._replace(view=AS_IT_IS, method=name))


def _different(lines: Sequence[Line], number: int) -> list[Line]:
    picked: dict[str, Line] = {}
    for line in lines:
        picked.setdefault(line.key.picture, line)
    return list(picked.values())[:number]


def _iou(line: Line) -> float:
    return 0.0 if line.score is None else line.score.figures.iou


def _failure(trial: Trial, line: Line, method: str, shown: bool) -> Failure:
    key, iou = line.key, _iou(line) if line.there else None
    plain = Failure(key.picture, key.label, method, iou)
    if not shown or line.score is None:
        return plain
    try:
        example = trial.source.read(key.picture, key.label)
    except KiridashiError:  # the picture has gone since
        return plain
    if example.picture.size != line.score.mask.size:
        return plain
    panels = (
        ("panel_picture", example.picture.pixels),
        ("panel_truth", marked(example.picture, example.mask)),
        ("panel_answer", judged(example, line.score.mask)),
    )
    return replace(plain, panels=panels)
