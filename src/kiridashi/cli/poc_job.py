"""The work of `kiridashi poc`, from its arguments to its folder."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.failures import ExitCode, Interrupted, tell, wants_debug
from kiridashi.cli.progress import Display, Step
from kiridashi.cli.suggest import check_choice
from kiridashi.core.errors import UsageError

if TYPE_CHECKING:
    from kiridashi.poc.journal import Sink
    from kiridashi.poc.proof import Proof
    from kiridashi.poc.site import SiteFile
    from kiridashi.report.poc import Document


@dataclass(frozen=True)
class PocJob:
    """What the user asks of `poc`; see its options."""

    site: Path
    out: Path
    data: Path | None = None
    language: str = "en"
    minutes: float | None = None
    adapt: Path | None = None
    shown: bool = True
    mlflow: bool = False
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def run(self) -> "PocSummary":
        """Do it all.

        Raises:
            UsageError: the site file asks for what there is not, or the folder cannot be used.
            InputError: the site file, a set or its tags cannot be used.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C; what is finished is in the folder.
        """
        from kiridashi.cli.options import adapted_name
        from kiridashi.cli.poc_methods import lineup
        from kiridashi.poc.journal import Journal
        from kiridashi.poc.proof import Proof, figures
        from kiridashi.poc.site import read_site
        from kiridashi.report.page import LANGUAGES
        from kiridashi.report.poc import write_report
        from kiridashi.report.poc.folder import REPORT, SUMMARY

        check_choice("language", self.language, LANGUAGES)
        started = time.perf_counter()
        file = read_site(self.site, self.data)
        with Display(quiet=self.quiet) as display:
            with display.waiting("looking at the data"):
                # Before anything is measured: MLflow may be missing.
                journal = Journal(self._sinks(file.site.title))
                proof = Proof(
                    file,
                    self.out,
                    lineup(adapted_name(_model_of(file), self.adapt)),
                    journal,
                    _Bars(display, self.out),
                    resume=self.resume,
                    overwrite=self.overwrite,
                    debug=wants_debug(),
                )
                proof.open()
            journal("started", site=str(self.site), facts=dict(proof.facts))
            proof.measure(file.site.minutes if self.minutes is None else self.minutes)
            with display.waiting("writing the report"):
                document = proof.report(self.shown)
                report = self.out / REPORT
                write_report(report, document, self.language)
        journal.finish(proof.facts, figures(document), [report, self.out / SUMMARY])
        return PocSummary(self.out, document, report, _failures(proof), time.perf_counter() - started)

    def _sinks(self, title: str) -> list["Sink"]:
        from kiridashi.poc.journal import LineSink, MlflowSink
        from kiridashi.report.poc.folder import LOG

        sinks: list[Sink] = [LineSink(self.out / LOG)]
        return [*sinks, MlflowSink(title)] if self.mlflow else sinks


class _Bars:
    """One bar a use case; Ctrl-C leaves what is finished."""

    def __init__(self, display: Display, out: Path) -> None:
        self._display, self._out = display, out

    @contextmanager
    def __call__(self, text: str, total: int) -> Iterator[Step]:
        done = 0
        try:
            with self._display.bar(text, total, unit="answers") as advance:

                def step() -> None:
                    nonlocal done
                    done += 1
                    advance()

                yield step
        except KeyboardInterrupt as error:
            raise Interrupted(done, total, self._out, unit="answers") from error


@dataclass(frozen=True)
class PocSummary:
    """The end of a proof of concept.

    Attributes:
        out: the run folder.
        document: the report's content.
        report: its file.
        failed: (use case, method, picture, reason) of answers that failed.
        seconds: of this run.
    """

    out: Path
    document: "Document"
    report: Path
    failed: list[tuple[str, str, str, str]]
    seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """0 when every answer was given, else 3."""
        return ExitCode.SOME_FAILED if self.failed else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        from kiridashi.poc.proof import summary

        return {
            "command": "poc",
            "out": str(self.out),
            **summary(self.document),
            "failed": [
                dict(zip(("case", "method", "picture", "error"), one, strict=True)) for one in self.failed
            ],
            "seconds": round(self.seconds, 3),
            "files": {"report": str(self.report)},
            "exit_code": int(self.exit_code),
        }

    def tell(self, *, quiet: bool, as_json: bool) -> int:
        """Print it and return the exit code; what failed is named on standard error also when quiet."""
        from kiridashi.cli.summary import NAMED

        if as_json:
            print(json.dumps(self.to_json(), ensure_ascii=True))
        elif not quiet:
            for case in self.document.cases:
                option = case.option
                print(f"{case.name}: {case.decision.value.upper()}, {option.method}, IoU {option.iou}")
            print(f"{self.seconds:.1f} s\nlook at {self.report}")
        for case_name, method, picture, error in self.failed[:NAMED]:
            tell(f"{case_name}, {method}, {picture}: {error}", "not done")
        if len(self.failed) > NAMED:
            tell(f"and {len(self.failed) - NAMED} more; results.jsonl has them all", "not done")
        return self.exit_code


def write_example(path: Path, *, overwrite: bool) -> None:
    """Write the site file to begin from.

    Raises:
        UsageError: there is such a file, or it cannot be written.
    """
    from kiridashi.data.atomic import write_text
    from kiridashi.poc.site import EXAMPLE

    if path.exists() and not overwrite:
        raise UsageError(f"{path}: there is such a file already; name another, or add --overwrite")
    write_text(path, EXAMPLE)


def make_report(out: Path, language: str, to: Path | None, data: Path | None, *, shown: bool) -> Path:
    """Make the report of a run again, from its lines.

    Raises:
        UsageError: the folder holds no run, or one of another version.
        InputError: the pictures are gone.
    """
    from kiridashi.cli.poc_methods import lineup
    from kiridashi.poc.proof import Proof
    from kiridashi.poc.site import read_site
    from kiridashi.report.page import LANGUAGES
    from kiridashi.report.poc import write_report
    from kiridashi.report.poc.folder import REPORT, RUN, SITE

    check_choice("language", language, LANGUAGES)
    try:
        known = json.loads((out / RUN).read_text(encoding="utf-8"))
        root, model = Path(str(known["root"])), str(known["model"])
        facts = {str(key): str(value) for key, value in known["facts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{out}: no run of `kiridashi poc` in it; make one with --out {out}") from error
    file = read_site(out / SITE, data or root)
    proof = Proof(file, out, lineup(model), resume=True)
    proof.reopen(facts)
    path = to or out / REPORT
    write_report(path, proof.report(shown), language)
    return path


def _failures(proof: "Proof") -> list[tuple[str, str, str, str]]:
    found = []
    for trial in proof.trials:
        unreadable = trial.source.unreadable
        found += [(trial.case.name, "all methods", name, reason) for name, reason in unreadable.items()]
        for key in (*trial.questions(), *trial.growing_keys()):
            line = trial.store.get(key)
            if line is not None and line.error is not None:
                found.append((trial.case.name, key.method, key.picture, line.error))
    return found


def _model_of(file: "SiteFile") -> str:
    """A model of the catalogue, or the folder of one beside the pictures."""
    from kiridashi.models.catalogue import cards

    name = file.site.model
    return name if name in cards() else str(file.inside(name))
