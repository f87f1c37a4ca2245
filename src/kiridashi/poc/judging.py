"""From a use case's lines to its part of the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kiridashi.evaluate.pictures import Key, Line
from kiridashi.evaluate.pictures.drawing import left_out
from kiridashi.poc import findings, samples
from kiridashi.poc.findings import Comparison
from kiridashi.poc.forgetting import forgetting
from kiridashi.poc.rules import Evidence, choose, decide
from kiridashi.poc.site import SiteFile
from kiridashi.poc.tracing import figures_digest
from kiridashi.poc.trial import Trial
from kiridashi.poc.trial.schedule import GROWING, TRANSFORMING, Unit
from kiridashi.poc.trial.source import content_digest
from kiridashi.report.poc.document import CaseReport, Missing, Option, Worth


@dataclass(frozen=True, eq=False)
class Verdict:
    """The option that is judged, before stage 3.

    Attributes:
        comparison: of stages 1 and 2.
        options: every method.
        worths: what they bring.
        option: the one.
    """

    comparison: Comparison
    options: list[Option]
    worths: list[Worth]
    option: Option


def weigh(trial: Trial, licences: Mapping[str, str]) -> Verdict:
    """Choose the option that is judged.

    Raises:
        UsageError: nothing was measured to the end.
    """
    found = findings.comparison(trial)
    options = findings.options(found, trial.case, licences)
    worths = findings.worths(options, trial.case, len(trial.source.classes), trial.seed)
    return Verdict(found, options, worths, choose(options, worths))


def judge(file: SiteFile, trial: Trial, licences: Mapping[str, str], shown: bool) -> CaseReport:
    """All that is said of a use case.

    Args:
        file: the site's.
        trial: as far as it was made.
        licences: of the methods.
        shown: whether the reader may see pictures.

    Raises:
        UsageError: nothing was measured to the end.
        InputError: tags or pictures cannot be used.
    """
    case, source = trial.case, trial.source
    weighed = weigh(trial, licences)
    found, option = weighed.comparison, weighed.option
    known = samples.look(file, case, source)
    cells = findings.cells(trial, option.method, found)
    lines = [line for some in found.lines.values() for line in some]
    points = findings.curve(found)
    missing = _missing(trial, found, option.method)
    forgotten = forgetting(trial)
    evidence = Evidence(
        option,
        case.against,
        case.needed,
        next((worth for worth in weighed.worths if worth.method == option.method), None),
        len({line.key.picture for line in found.of(option.method) if line.key.picture in source.free}),
        cells,
        tuple(case.conditions.expected),
        tuple(samples.unseen(case, source.tags, source)),
        bool(missing),
        forgotten.rows,
        case.classes_will_grow,
    )
    decision, reasons = decide(evidence)
    return CaseReport(
        name=case.name,
        question=case.question,
        data=case.data.folder,
        pictures=len(source.pictures),
        classes={name: len(names) for name, names in source.classes.items()},
        empty=len(source.free),
        tested=len({line.key.picture for line in lines}),
        conditions=samples.conditions(case, source.tags, source, found.of(option.method), option.method),
        note=case.conditions.note,
        checks=known.checks,
        baseline=case.against,
        options=weighed.options,
        curve=points,
        enough=findings.enough(points, option.method),
        cells=cells,
        failures=findings.failures(trial, option.method, found, shown and case.data.may_be_shown),
        forgetting=forgotten,
        worths=weighed.worths,
        decision=decision,
        recommended=option.method,
        reasons=reasons,
        needed_iou=case.needed.iou,
        by_cost=case.money is not None,
        draws=len({line.key.seed for line in found.of(option.method)}),
        uncertainty=case.money.uncertainty if case.money is not None else 0.0,
        missing=(*missing, *_too_few(trial)),
        licence=known.licence,
        people=case.data.people,
        facts=_facts(file, trial, [*lines, *_grown(trial)]),
    )


def _missing(trial: Trial, found: Comparison, method: str) -> list[Missing]:
    told = [_of_unit(unit) for unit in found.missing]
    if _lacks(trial, trial.transform_keys(method, found.shots)):
        told.append(_of_unit(trial.transformed(method, found.shots)))
    if _lacks(trial, trial.growing_keys()):
        told.append(_of_unit(trial.grown(trial.lessons)))
    return told


def _too_few(trial: Trial) -> list[Missing]:
    short = left_out(trial.source, trial.case.budget.shots)
    return [
        Missing(f"{label}: {shots} shots", "missing_pictures", {"name": label, "shots": shots})
        for label, numbers in short.items()
        for shots in numbers
    ]


def _lacks(trial: Trial, keys: Sequence[Key]) -> bool:
    return any(trial.store.get(key) is None for key in keys)


def _of_unit(unit: Unit) -> Missing:
    key = {TRANSFORMING: "missing_transformed", GROWING: "missing_growing"}.get(unit.stage, "missing_unit")
    values = {"method": unit.method, "shots": str(unit.shots), "seed": str(unit.seed)}
    return Missing(unit.name, key, values)


def _grown(trial: Trial) -> list[Line]:
    return [line for key in trial.growing_keys() if (line := trial.store.get(key)) is not None]


def _facts(file: SiteFile, trial: Trial, lines: list[Line]) -> dict[str, str]:
    seeds = ", ".join(map(str, trial.plan.seeds))
    failed = sum(line.error is not None for line in lines)
    return {
        "run folder": trial.case.slug,
        "seeds": seeds,
        "answers": str(len(lines)),
        "answers failed": str(failed),
        "data sha256": content_digest(file.inside(trial.case.data.folder), trial.source.files.values()),
        "figures sha256": figures_digest(lines),
    }
