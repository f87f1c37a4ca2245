"""A whole proof of concept: every use case of a site file, measured, judged and reported."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kiridashi.core.errors import UsageError
from kiridashi.data.atomic import write_json, write_text
from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.pictures.measuring import Maker
from kiridashi.poc.journal import Journal
from kiridashi.poc.judging import judge, weigh
from kiridashi.poc.site import SiteFile, UseCase
from kiridashi.poc.tracing import machine_facts
from kiridashi.poc.trial import Stop, Trial, open_source
from kiridashi.poc.trial.growing import GrowingMaker
from kiridashi.poc.trial.views import views
from kiridashi.report.poc.document import CaseReport, Document, Forgetting
from kiridashi.report.poc.folder import RUN, SITE, SUMMARY, TrialFolder

# Of the time, what the report itself is left with.
REPORT_SHARE = 0.03
Step = Callable[[], None]
# From (text, number of steps) to a context that gives a function to call after each.
Bar = Callable[[str, int], AbstractContextManager[Step]]


def _no_bar(_text: str, _total: int) -> AbstractContextManager[Step]:
    return nullcontext(lambda: None)


@dataclass(frozen=True, eq=False)
class Lineup:
    """The methods that a site file may name.

    Attributes:
        makers: by name.
        licences: of each method, in a few words.
        rows: (what, licence, remark) for the report.
        facts: what the methods depend on, such as the model and its digest.
        model: that it was made of, to make it again.
        growing: makes an empty list of classes, to measure forgetting with; None: that is not measured.
    """

    makers: Mapping[str, Maker]
    licences: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rows: Sequence[tuple[str, str, str]] = ()
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    model: str = ""
    growing: GrowingMaker | None = None


@dataclass(eq=False)
class Proof:
    """A run over a site file.

    Attributes:
        file: the site's.
        out: the run folder.
        lineup: the methods.
        journal: hears what happens.
        bar: shows progress.
        resume: go on with what the folder holds.
        overwrite: remove it first.
        debug: let defects through.
    """

    file: SiteFile
    out: Path
    lineup: Lineup
    journal: Journal = field(default_factory=lambda: Journal(()))
    bar: Bar = _no_bar
    resume: bool = False
    overwrite: bool = False
    debug: bool = False
    trials: list[Trial] = field(default_factory=list, init=False)
    facts: Mapping[str, str] = field(default_factory=dict, init=False)

    def open(self) -> None:
        """Look at all that can be wrong before anything is measured.

        Raises:
            UsageError: a method, class or transformation does not exist, a set is too small, or the folder
                holds another run.
            InputError: a set or its tags cannot be used.
        """
        self._open_trials()
        site = self.file.site
        write_text(self.out / SITE, self.file.text)
        self.facts = {
            "site file sha256": self.file.sha256,
            "seed": str(site.seed),
            **self.lineup.facts,
            **machine_facts(),
        }
        root = str(self.file.root.resolve())
        known = {"root": root, "model": self.lineup.model, "facts": self.facts}
        write_json(self.out / RUN, known, indent=1)

    def reopen(self, facts: Mapping[str, str]) -> None:
        """Take up what a run left, to report it again.

        Args:
            facts: of that run.

        Raises:
            UsageError: the folder holds another run.
            InputError: a set or its tags cannot be used.
        """
        self._open_trials()
        self.facts = dict(facts)

    def measure(self, minutes: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """All stages of all use cases, as far as the time goes.

        Args:
            minutes: for all of them; None: as long as it takes.
            clock: seconds.

        Raises:
            UsageError: a method refuses how it is used, or the time was too short for anything.
        """
        end = None if minutes is None else clock() + 60 * minutes * (1 - REPORT_SHARE)
        for number, trial in enumerate(self.trials):
            stop = Stop(None, clock)
            if end is not None:
                left = max(end - clock(), 0.0)
                stop = Stop(clock() + left / (len(self.trials) - number), clock)
            self._measure(trial, stop)

    def report(self, shown: bool = True) -> Document:
        """What was found, from the lines that there are.

        Args:
            shown: whether the reader may see pictures.

        Raises:
            UsageError: nothing was measured to the end.
            InputError: the pictures are gone or cannot be used.
        """
        site = self.file.site
        cases = [judge(self.file, trial, self.lineup.licences, shown) for trial in self.trials]
        document = Document(site.title, site.currency, cases, self.lineup.rows, site.privacy, self.facts)
        write_json(self.out / SUMMARY, summary(document), indent=1)
        return document

    def total(self, trial: Trial) -> int:
        """Answers that a use case will have when time suffices."""
        shots = max(trial.shots)
        transformed = trial.transform_keys(trial.case.methods[0], shots)
        return len(trial.questions()) + len(transformed) + len(trial.growing_keys())

    def _open_trials(self) -> None:
        site = self.file.site
        opened = [(case, open_source(self.file, case)) for case in site.use_cases]
        for case in site.use_cases:
            self._check(case)
        for case, source in opened:
            folder = TrialFolder.open(
                self.out / case.slug, self._settings(case), resume=self.resume, overwrite=self.overwrite
            )
            trial = Trial(
                case,
                source,
                self.lineup.makers,
                folder,
                site.seed,
                tell=self.journal,
                debug=self.debug,
                growing=self.lineup.growing,
            )
            # Refuses sets that are too small.
            trial.questions()
            self.trials.append(trial)

    def _measure(self, trial: Trial, stop: Stop) -> None:
        folder = trial.store
        assert isinstance(folder, TrialFolder)
        known = sum(folder.get(key) is not None for key in trial.questions())
        self.journal("use case", name=trial.case.name, answers=self.total(trial), known=known)
        with self.bar(trial.case.name, max(self.total(trial) - known, 0)) as step:
            trial.step = step
            trial.compare(stop)
            weighed = weigh(trial, self.lineup.licences)
            trial.transform(weighed.option.method, weighed.comparison.shots, stop)
            trial.grow(stop)
        folder.finish(trial.questions())

    def _check(self, case: UseCase) -> None:
        from difflib import get_close_matches

        for name in case.methods:
            if name not in self.lineup.makers:
                near = get_close_matches(name, self.lineup.makers, n=1, cutoff=0.4)
                hint = f" Did you mean {near[0]}?" if near else ""
                known = ", ".join(self.lineup.makers)
                raise UsageError(f"{case.name}: no method named {name!r}.{hint} Known: {known}")
        views(case.robustness, case.budget.severities, 0)

    def _settings(self, case: UseCase) -> dict[str, Any]:
        budget = case.budget
        return {
            "command": "poc",
            "use case": case.name,
            "classes": case.classes,
            "good shots": budget.good_shots,
            "most shots": max(budget.shots),
            "seed": self.file.site.seed,
            **self.lineup.facts,
        }


def summary(document: Document) -> dict[str, Any]:
    """The decisions and their figures, for programs."""
    return {
        "title": document.title,
        "facts": dict(document.facts),
        "cases": [_told(one) for one in document.cases],
    }


def figures(document: Document) -> dict[str, float]:
    """The figures of the judged options, by "use case/figure"."""
    told: dict[str, float] = {}
    for case in document.cases:
        option, worth = case.option, case.worth
        values = {"iou": option.iou.mean, "missed": option.missed.share, "seconds": option.seconds}
        if option.false_alarms is not None:
            values["false_alarms"] = option.false_alarms.share
        if worth is not None:
            values["net"] = worth.net.value
        told |= {f"{case.name}/{key}": value for key, value in values.items()}
    return told


def _told(case: CaseReport) -> dict[str, Any]:
    worth = case.worth
    return {
        "name": case.name,
        "decision": case.decision.value,
        "method": case.recommended,
        "shots": case.option.shots,
        "reasons": [
            {"weight": reason.weight, "rule": reason.key, **reason.values} for reason in case.reasons
        ],
        "options": [
            {
                "method": option.method,
                "iou": _ends(option.iou),
                "gain": _ends(option.gain),
                "missed": option.missed.share,
                "false_alarms": None if option.false_alarms is None else option.false_alarms.share,
                "fit_seconds": round(option.fit_seconds, 3),
                "seconds": round(option.seconds, 4),
                "peak_mib": option.peak_mib,
            }
            for option in case.options
        ],
        "net": None if worth is None else [worth.net.value, worth.net.low, worth.net.high],
        "payback_months": None if worth is None else worth.payback_months,
        "forgetting": _forgetting(case.forgetting),
        "left_out": [one.name for one in case.missing],
        "facts": dict(case.facts),
    }


def _forgetting(found: Forgetting) -> dict[str, Any]:
    return {
        "verdict": found.key,
        "classes": [
            {
                "name": row.name,
                "pictures": row.pictures,
                "named_rightly": [row.before, row.after],
                "difference": _ends(row.change),
                "iou": [row.iou_before, row.iou_after],
                "iou_difference": _ends(row.iou_change),
                "taken_by": dict(row.taken),
            }
            for row in found.rows
        ],
    }


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.mean, interval.low, interval.high]
