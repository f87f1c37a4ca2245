"""What the report of a diagnosis says, worked out before it is laid out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from statistics import median

import numpy as np

from kiridashi.models.catalogue import ModelCard
from kiridashi.report.diagnosis import curves
from kiridashi.report.diagnosis.finding import Finding, Verdict, Where
from kiridashi.report.diagnosis.folder import DiagnosisFolder
from kiridashi.report.diagnosis.lines import (
    CLEAN,
    PROMPTS,
    SELF_TEST,
    TRANSFORMATION,
    FrameFigures,
    Key,
    Line,
)
from kiridashi.report.page.content import model_rows
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.thumbnails import embed_file
from kiridashi.transforms import CARDS

# Of the table of stages, figures of vectors say less.
VECTORS = ("tokens",)
SPARSE = "sparse"
# From the most to the least that is said of the object.
PROMPTED = ("present", SPARSE, "point", "absent")
FRAME = "frame"
STRIP_SIDE = 1060
# A cell is darkest where a stage is moved this many times as far as by itself.
FARTHEST = 4.0
# A stage that is moved less has no noise that the next one could filter.
LEAST = 0.05
HIGH = 0.9
NOTHING = "–"
Value = Callable[[FrameFigures], float | None]


@dataclass(frozen=True)
class RuleNote:
    """A rule of the verdict as the report lists it.

    Attributes:
        where: it looks.
        name: of its finding.
        limit: of its figure.
        above: whether it speaks from the limit on, or below it.
    """

    where: Where
    name: str
    limit: float
    above: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Diagnosis:
    """All that the report is made of.

    Attributes:
        clip: its name.
        lines: of all runs.
        verdict: on them.
        stages: names of the model's stages, in order.
        broken: from a run to the first stage that parts the object less well; runs without one are left out.
        rules: of the verdict, in their order.
        folder: with the strips.
        card: of the model.
        has_truth: whether true masks were given.
        gate: distance from which on a frame is kept out of the memory.
        facts: how the run was made, in words.
    """

    clip: str
    lines: Sequence[Line]
    verdict: Verdict
    stages: Sequence[str]
    broken: Mapping[Key, str]
    rules: Sequence[RuleNote]
    folder: DiagnosisFolder
    card: ModelCard
    has_truth: bool
    gate: float
    facts: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def usable(self) -> Sequence[Line]:
        """Runs with a result."""
        return [line for line in self.lines if line.error is None]

    @property
    def failed(self) -> Sequence[Line]:
        """Runs without one."""
        return [line for line in self.lines if line.error is not None]

    def of(self, kind: str) -> list[Line]:
        """Runs of a kind that have a result."""
        return [line for line in self.usable if line.key.kind == kind]

    @property
    def clean(self) -> Line | None:
        """The clip as it is."""
        return next(iter(self.of(CLEAN)), None)

    @property
    def self_test(self) -> Line | None:
        """The first frame alone."""
        return next(iter(self.of(SELF_TEST)), None)


@dataclass(frozen=True)
class Told:
    """A finding in words.

    Attributes:
        name: what is wrong.
        text: what was seen.
        limit: the figure beside its limit.
        advice: what to do.
    """

    name: str
    text: str
    limit: str
    advice: str


def tell(finding: Finding, rules: Sequence[RuleNote], say: Messages) -> Told:
    """A fault of the model or the clip in the reader's language."""
    shown = {name: _shown(value) for name, value in finding.figures.items()}
    rule = next(one for one in rules if one.name == finding.name and one.limit == finding.limit)
    key = "limit_above" if rule.above else "limit_below"
    figure = say(f"figure_{finding.name}")
    return Told(
        say(f"name_{finding.name}"),
        say(f"finding_{finding.name}", **shown),
        say(key, figure=figure, value=shown["value"], limit=f"{rule.limit:g}"),
        say(f"advice_{finding.name}"),
    )


def tell_weakness(finding: Finding, say: Messages) -> Told:
    """A weakness in the reader's language."""
    shown = {name: _shown(value) for name, value in finding.figures.items()}
    stage = str(finding.figures["stage"])
    how = str(finding.figures["how"])
    where = say(f"weak_{how}", stage=stage_name(stage, say))
    family = CARDS[str(finding.figures["transformation"])].family
    text = say("weak", **shown)
    return Told(f"{shown['transformation']}-{shown['severity']}", text, where, say(f"advice_family_{family}"))


def stage_name(stage: str, say: Messages) -> str:
    """A stage as the reader should know it."""
    base, _, number = stage.partition("-")
    return say(f"stage_{base}", number=number)


def run_name(key: Key, say: Messages) -> str:
    """A run as the reader should know it."""
    if key.kind == CLEAN:
        return say("as_it_is")
    if key.kind == SELF_TEST:
        return say("self_test")
    return say(f"prompts_{key.name}") if key.kind == PROMPTS else key.label


def counts(diagnosis: Diagnosis, say: Messages) -> list[tuple[str, str]]:
    """The figures at the top: (figure, what it counts)."""
    figures = []
    clean, test = diagnosis.clean, diagnosis.self_test
    if clean is not None:
        if clean.j_and_f is not None:
            figures.append((f"{100 * clean.j_and_f:.1f}", say("count_j_and_f")))
        rows = [frame.found for frame in clean.followed]
        figures.append((f"{100 * sum(rows) / max(len(rows), 1):.0f}", say("count_found")))
    if test is not None and test.region is not None:
        figures.append((f"{100 * test.region.mean:.0f}", say("count_self_test")))
    tried = len(diagnosis.of(TRANSFORMATION)) - len(diagnosis.verdict.untried)
    if tried:
        figures.append((str(len(diagnosis.verdict.weaknesses)), say("count_weak", tried=tried)))
    return figures


@dataclass(frozen=True)
class StageRow:
    """One stage on the clip and on the self-test.

    Attributes:
        name: in words.
        parts: whether object and background part here for the first time.
        cells: probe and component of the clip, of the self-test, and the distance to the memory.
    """

    name: str
    parts: bool
    cells: Sequence[str]


def stage_rows(diagnosis: Diagnosis, say: Messages) -> list[StageRow]:
    """All stages, in order."""
    rows = []
    for stage in diagnosis.stages:
        if stage in VECTORS:
            continue
        cells = [
            _number(_median_of(line, stage, figure))
            for line in (diagnosis.clean, diagnosis.self_test)
            for figure in ("probe", "component")
        ]
        cells.append(_number(_median_of(diagnosis.clean, stage, "memory")))
        rows.append(StageRow(stage_name(stage, say), stage == diagnosis.verdict.parted, cells))
    return rows


@dataclass(frozen=True)
class Cell:
    """A stage under a transformation.

    Attributes:
        natural: how far it is moved.
        split: object / background.
        ratio: to the stage before.
        shade: 0..1, how dark.
        broken: whether it is the first that parts the object less well.
    """

    natural: str
    split: str
    ratio: str
    shade: float
    broken: bool


@dataclass(frozen=True)
class MatrixRow:
    """A run in the matrix.

    Attributes:
        name: in words.
        cells: by stage.
        scores: J&F, recall, decay and frames until it was back.
        weak: whether it is not stood.
    """

    name: str
    cells: Sequence[Cell]
    scores: Sequence[str]
    weak: bool


def matrix(diagnosis: Diagnosis, say: Messages) -> list[MatrixRow]:
    """The clip as it is, then all transformations."""
    weak = {(one.figures["transformation"], one.figures["severity"]) for one in diagnosis.verdict.weaknesses}
    lines = [*diagnosis.of(CLEAN), *diagnosis.of(TRANSFORMATION)]
    return [
        MatrixRow(
            run_name(line.key, say),
            [] if line.key.kind == CLEAN else _cells(diagnosis, line),
            _scores(line, say),
            (line.key.name, line.key.severity) in weak,
        )
        for line in lines
    ]


def matrix_stages(diagnosis: Diagnosis, say: Messages) -> list[str]:
    """Titles of the matrix' columns."""
    return [stage_name(stage, say) for stage in diagnosis.stages if stage not in VECTORS]


def prompt_rows(diagnosis: Diagnosis, say: Messages) -> list[tuple[str, Sequence[str]]]:
    """(prompts, scores) of the study; none where it was not made."""
    study = diagnosis.of(PROMPTS)
    clean = diagnosis.clean
    if not study or clean is None:
        return []
    rows = {line.key.name: line for line in study} | {SPARSE: clean}
    return [(say(f"prompts_{name}"), _scores(rows[name], say)) for name in PROMPTED if name in rows]


def plots(diagnosis: Diagnosis, say: Messages) -> list[tuple[str, str]]:
    """(title, SVG) of the curves over time."""
    runs = [*diagnosis.of(CLEAN), *diagnosis.of(TRANSFORMATION)]
    found = []
    # Of each run the same in every chart, whichever others have curves there.
    shades = {line.key: number for number, line in enumerate(diagnosis.of(TRANSFORMATION), start=1)}
    series_of = partial(_series, say=say, shades=shades)
    j = series_of(runs, lambda frame: frame.j)
    if j:
        title = say("curve_j" if diagnosis.has_truth else "curve_j_self")
        found.append((title, curves.draw(j, title, top=1.0)))
    distances = series_of(runs, lambda frame: frame.distance)
    if distances:
        title = say("curve_distance")
        found.append((title, curves.draw(distances, title, line=diagnosis.gate)))
    for stage in (one for one in diagnosis.stages if one not in (*VECTORS, "pointer")):
        title = say("curve_stage", stage=stage_name(stage, say))
        series = series_of(diagnosis.of(TRANSFORMATION), partial(_inside, stage=stage))
        if series:
            found.append((title, curves.draw(series, title, line=1.0)))
    light = series_of(diagnosis.of(CLEAN), lambda frame: frame.facts.get("light"))
    if light:
        found.append((say("curve_facts"), curves.draw(light, say("curve_facts"), top=1.0)))
    return found


@dataclass(frozen=True)
class Sheet:
    """The strips of a run.

    Attributes:
        name: of the run.
        strips: (stage, embedded picture).
    """

    name: str
    strips: Sequence[tuple[str, str]]


def sheets(diagnosis: Diagnosis, say: Messages) -> list[Sheet]:
    """The stage pictures of every run that has them."""
    found = []
    for line in diagnosis.usable:
        strips = []
        for stage in (FRAME, *diagnosis.stages):
            path = diagnosis.folder.strip_path(line.key, stage)
            embedded = embed_file(Path(path), STRIP_SIDE) if path.is_file() else None
            if embedded is not None:
                strips.append((stage_name(stage, say), embedded))
        if strips:
            found.append(Sheet(run_name(line.key, say), strips))
    return found


def rule_rows(diagnosis: Diagnosis, say: Messages) -> list[tuple[str, str, str, str]]:
    """(where, rule, figure, limit) of every rule."""
    return [
        (
            say(f"where_{rule.where}"),
            say(f"name_{rule.name}"),
            say(f"figure_{rule.name}"),
            say("from_on" if rule.above else "below", limit=f"{rule.limit:g}"),
        )
        for rule in diagnosis.rules
    ]


def provenance(diagnosis: Diagnosis, say: Messages) -> list[tuple[str, str]]:
    """How the run was made, and the model."""
    return [*diagnosis.facts.items(), *model_rows(diagnosis.card, say)]


def _cells(diagnosis: Diagnosis, line: Line) -> list[Cell]:
    cells: list[Cell] = []
    before: float | None = None
    for stage in diagnosis.stages:
        if stage in VECTORS:
            continue
        natural, inside, outside = (_high_of(line, stage, name) for name in ("natural", "inside", "outside"))
        split = "" if inside is None or outside is None else f"{_number(inside)} / {_number(outside)}"
        ratio = "" if natural is None or before is None or before < LEAST else _number(natural / before)
        cells.append(
            Cell(
                _number(natural),
                split,
                ratio,
                min((natural or 0.0) / FARTHEST, 1.0),
                diagnosis.broken.get(line.key) == stage,
            )
        )
        before = natural
    return cells


def _scores(line: Line, say: Messages) -> list[str]:
    region, back = line.region, line.returns
    took = [one.took for one in back if one.took is not None]
    returned = NOTHING if not back else say("never") if not took else f"{median(took):g}"
    if region is None:
        return [NOTHING, NOTHING, NOTHING, returned]
    return [_number(line.seen_j_and_f), _number(region.recall), f"{region.decay:+.2f}", returned]


def _series(
    lines: Sequence[Line], value: Value, *, say: Messages, shades: Mapping[Key, int]
) -> list[curves.Series]:
    found = []
    for line in lines:
        points = [
            (index, known) for index, frame in enumerate(line.frames) if (known := value(frame)) is not None
        ]
        if points:
            found.append(curves.Series(run_name(line.key, say), points, shades.get(line.key, 0)))
    return found


def _inside(frame: FrameFigures, stage: str) -> float | None:
    figures = frame.stages.get(stage)
    return None if figures is None else figures.inside


def _median_of(line: Line | None, stage: str, figure: str) -> float | None:
    values = [] if line is None else line.values(stage, figure, seen=figure in ("probe", "component"))
    return median(values) if values else None


def _high_of(line: Line, stage: str, figure: str) -> float | None:
    """What a tenth of the frames exceed: most frames of a cut or an occlusion are as they were."""
    values = line.values(stage, figure)
    return float(np.quantile(values, HIGH)) if values else None


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _shown(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.2g}" if abs(value) < 0.01 else f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    return value
