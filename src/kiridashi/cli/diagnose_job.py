"""The work of `kiridashi diagnose CLIP`, from its arguments to its report."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.failures import ExitCode, Interrupted, tell, wants_debug
from kiridashi.cli.progress import Display, Step
from kiridashi.cli.suggest import check_choice
from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.data.atomic import write_json, write_text
from kiridashi.data.files import one_line, reason_of

if TYPE_CHECKING:
    from kiridashi.core.mask import Mask
    from kiridashi.models.promptable import PromptableModel
    from kiridashi.report.diagnosis import Diagnosis, DiagnosisFolder, Key, Line, Verdict
    from kiridashi.transforms import Choice
    from kiridashi.video.clip import Clip
    from kiridashi.video.diagnosis.figures import Scale
    from kiridashi.video.diagnosis.running import Gallery, Setup

NONE, ALL = "none", "all"
# From a gallery and a step to the line of a run; a base gives what others are held against, too.
Run = Callable[["Gallery", Step], "Line"]
Base = Callable[["Setup", "Gallery", Step], tuple["Line", "Scale"]]


@dataclass(frozen=True)
class DiagnoseJob:
    """What the user asks of `diagnose CLIP`; see its options."""

    clip: Path
    mask: Path
    out: Path
    truth: Path | None = None
    transforms: str = "five"
    severity: str = "3"
    prompts: str = ALL
    donor: Path | None = None
    frames: int = 80
    gated: bool = True
    seed: int = 0
    language: str = "en"
    model: str = "compact"
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def run(self) -> "DiagnoseSummary":
        """Do it all.

        Raises:
            UsageError: the arguments do not fit together, or the folder cannot be used.
            InputError: the clip, the mask or the true masks cannot be used.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C; finished runs are in the folder.
        """
        from kiridashi.models.catalogue import find_card
        from kiridashi.models.loading import load_model
        from kiridashi.report.page.messages import LANGUAGES

        check_choice("language", self.language, LANGUAGES)
        choices, studies = self._choices(), self._studies()
        find_card(self.model)
        with Display(quiet=self.quiet) as display:
            with display.waiting("looking at the clip and loading the model"):
                setup = self._setup(load_model(self.model))
                folder = self._open(setup)
            worker = _Worker(setup, folder, display)
            keys = worker.work(choices, studies)
        lines = folder.finish(keys)
        return self._write(setup, folder, lines)

    def _choices(self) -> tuple["Choice", ...]:
        from kiridashi.transforms import CARDS, PRESETS, Choice, parse_choices

        severities = [_severity(part) for part in self.severity.split(",")]
        if self.transforms == NONE:
            return ()
        if self.transforms in PRESETS:
            parts = list(PRESETS[self.transforms])
        else:
            parts = [part.strip() for part in self.transforms.split(",") if part.strip()]
        for part in parts:
            check_choice("transformation", part.partition(":")[0].strip(), CARDS)
        plain = [part for part in parts if ":" not in part]
        given = [choice for part in parts if ":" in part for choice in parse_choices(part)]
        made = [Choice(name, severity) for name in plain for severity in severities]
        # The control is the clip as it is, which is always run.
        return tuple(dict.fromkeys(one for one in (*made, *given) if one.severity and one.name != "identity"))

    def _studies(self) -> tuple[str, ...]:
        from kiridashi.video.diagnosis.running import STUDY

        if self.prompts in (NONE, ALL):
            return STUDY if self.prompts == ALL else ()
        names = tuple(dict.fromkeys(part.strip() for part in self.prompts.split(",") if part.strip()))
        for name in names:
            check_choice("prompts", name, STUDY)
        return names

    def _setup(self, model: "PromptableModel") -> "Setup":
        from kiridashi.data.masks import read_mask
        from kiridashi.transforms.donor import DrawnDonor
        from kiridashi.video.clip import open_clip
        from kiridashi.video.diagnosis.running import LEAST_FRAMES, Setup
        from kiridashi.video.diagnosis.shots import FolderDonor
        from kiridashi.video.diagnosis.truth import TrueMasks
        from kiridashi.video.gate import GateOptions
        from kiridashi.video.tracker import TrackerOptions

        if self.frames < LEAST_FRAMES:
            raise UsageError(f"--frames: a diagnosis takes at least {LEAST_FRAMES} frames, got {self.frames}")
        # The command's fault, so it is told before anything is read.
        model.video()
        clip = open_clip(self.clip)
        first = read_mask(self.mask)
        _check_first(first, clip, self.mask)
        truth = None if self.truth is None else TrueMasks(self.truth, clip)
        return Setup(
            model=model,
            clip=clip,
            first=first,
            truth=(lambda _: None) if truth is None else truth,
            scored=truth is not None,
            frames=self.frames,
            seed=self.seed,
            donor=DrawnDonor(self.seed) if self.donor is None else FolderDonor(self.donor),
            options=TrackerOptions(gate=GateOptions() if self.gated else None),
        )

    def _open(self, setup: "Setup") -> "DiagnosisFolder":
        from kiridashi.models.catalogue import find_card
        from kiridashi.report.diagnosis import DiagnosisFolder
        from kiridashi.video.clip import open_clip

        card = find_card(self.model)
        settings = {
            "command": "diagnose",
            "model": card.name,
            "model file": card.sha256 or card.source,
            "clip": setup.clip.fingerprint,
            "mask": hashlib.sha256(repr(setup.first.box).encode() + setup.first.bitmap.tobytes()).hexdigest(),
            "truth": None if self.truth is None else open_clip(self.truth).fingerprint,
            "donor": None if self.donor is None else open_clip(self.donor).fingerprint,
            "frames": self.frames,
            "gate": self.gated,
            "seed": self.seed,
        }
        return DiagnosisFolder.open(self.out, settings, resume=self.resume, overwrite=self.overwrite)

    def _write(self, setup: "Setup", folder: "DiagnosisFolder", lines: Sequence["Line"]) -> "DiagnoseSummary":
        from kiridashi.models.observing import stages_of
        from kiridashi.report.diagnosis import Diagnosis, RuleNote, write_report
        from kiridashi.report.diagnosis.folder import REPORT, TABLE, VERDICT
        from kiridashi.report.diagnosis.tables import as_csv
        from kiridashi.video.diagnosis.rules import RULES, breaking_stages, judge
        from kiridashi.video.gate import GateOptions

        stages = stages_of(setup.model)
        grid = setup.model.net.prompt_encoder.image_embedding_size
        verdict = judge(lines, stages, int(grid[0]) * int(grid[1]))
        diagnosis = Diagnosis(
            clip=setup.clip.name,
            lines=lines,
            verdict=verdict,
            stages=[stage.name for stage in stages],
            broken=breaking_stages(lines, stages),
            rules=[RuleNote(rule.where, rule.name, rule.limit, rule.above) for rule in RULES],
            folder=folder,
            card=setup.model.card,
            has_truth=setup.scored,
            gate=GateOptions().distance,
            facts={"CLIP": str(self.clip), "--mask": str(self.mask), "--seed": str(self.seed)},
        )
        write_json(folder.path / VERDICT, verdict.to_json(), indent=1)
        write_text(folder.path / TABLE, as_csv(lines))
        write_report(folder.path / REPORT, diagnosis, self.language)
        return DiagnoseSummary(self.out, diagnosis, verdict)


class _Worker:
    """Makes the lines that are missing, and their pictures."""

    def __init__(self, setup: "Setup", folder: "DiagnosisFolder", display: Display) -> None:
        from kiridashi.models.observing import stages_of
        from kiridashi.video.diagnosis.gallery import StageGallery

        self._setup, self._folder, self._display = setup, folder, display
        expected = setup.frames if setup.clip.expected is None else min(setup.frames, setup.clip.expected)
        self._frames = expected
        self._gallery = StageGallery(stages_of(setup.model))
        self._done = self._total = 0

    def work(self, choices: Sequence["Choice"], studies: Sequence[str]) -> list["Key"]:
        """All runs; gives their keys in order."""
        from kiridashi.report.diagnosis.lines import CLEAN, PROMPTS, SELF_TEST, TRANSFORMATION, Key
        from kiridashi.video.diagnosis.running import run_clean, run_self_test

        changed = {Key(TRANSFORMATION, one.name, one.severity): one for one in choices}
        prompted = {Key(PROMPTS, name): name for name in studies}
        keys = [Key(SELF_TEST), Key(CLEAN), *changed, *prompted]
        pending = [key for key in keys if not self._is_done(key)]
        self._total, self._done = len(keys), len(keys) - len(pending)
        if not pending:
            return keys
        if keys[0] in pending:
            self._base(keys[0], run_self_test)
        # The clip as it is: all others are held against it, and its stages are in no file.
        if any(key in pending for key in keys[1:]):
            scale = self._base(keys[1], run_clean)
            for key in (one for one in keys[2:] if one in pending):
                self._one(key, scale, _run_of(key, self._setup, scale, changed, prompted))
        return keys

    def _is_done(self, key: "Key") -> bool:
        line = self._folder.get(key)
        return line is not None and line.error is None

    def _base(self, key: "Key", run: Base) -> "Scale":
        """A run that others are held against; nothing can be done without it.

        Raises:
            KiridashiError: it fails.
        """
        with self._watching(key) as step:
            line, scale = run(self._setup, self._gallery, step)
        self._keep(line, scale)
        return scale

    def _one(self, key: "Key", scale: "Scale", run: Run) -> None:
        """A run that is held against another: its line and its strips, or the reason why there are none."""
        from kiridashi.report.diagnosis import Line

        try:
            with self._watching(key) as step:
                line = run(self._gallery, step)
        except UsageError:
            raise
        except KiridashiError as error:
            line = Line(key, error=one_line(str(error)))
        # A defect that one transformation brings out must not cost the others.
        except Exception as error:
            if wants_debug() or isinstance(error, Interrupted):
                raise
            line = Line(key, error=one_line(f"unexpected {type(error).__name__}: {reason_of(error)}"))
        self._keep(line, scale)

    def _keep(self, line: "Line", scale: "Scale") -> None:
        self._folder.write_strips(line.key, self._gallery.draw(scale.clean.components()))
        self._folder.append(line)
        self._done += 1

    @contextmanager
    def _watching(self, key: "Key") -> Iterator[Step]:
        try:
            with self._display.bar(key.label, self._length(key), unit="frames") as step:
                yield step
        except KeyboardInterrupt as error:
            raise Interrupted(self._done, self._total, self._folder.path, unit="runs") from error

    def _length(self, key: "Key") -> int:
        from kiridashi.report.diagnosis.lines import SELF_TEST
        from kiridashi.video.diagnosis.shots import SELF_TEST_FRAMES

        return SELF_TEST_FRAMES if key.kind == SELF_TEST else self._frames


@dataclass(frozen=True)
class DiagnoseSummary:
    """The end of a diagnosis.

    Attributes:
        out: the folder of the results.
        diagnosis: what the report is made of.
        verdict: of it.
    """

    out: Path
    diagnosis: "Diagnosis"
    verdict: "Verdict"

    @property
    def exit_code(self) -> ExitCode:
        """0 when every run has a result, whatever the verdict; else 3."""
        return ExitCode.SOME_FAILED if self.diagnosis.failed else ExitCode.DONE

    @property
    def report(self) -> Path:
        """The page."""
        from kiridashi.report.diagnosis.folder import REPORT

        return self.out / REPORT

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "command": "diagnose",
            "out": str(self.out),
            "clip": self.diagnosis.clip,
            "verdict": self.verdict.to_json(),
            "runs": {
                line.key.label: None if line.seen_j_and_f is None else round(line.seen_j_and_f, 4)
                for line in self.diagnosis.usable
            },
            "failed": {line.key.label: line.error for line in self.diagnosis.failed},
            "report": str(self.report),
            "exit_code": int(self.exit_code),
        }

    def tell(self, *, quiet: bool, as_json: bool) -> int:
        """Print it and return the exit code; what failed is named on standard error also when quiet."""
        if as_json:
            print(json.dumps(self.to_json()))
        elif not quiet:
            print("\n".join(self.words()))
        for line in self.diagnosis.failed:
            tell(f"{line.key.label}: {line.error}", "not done")
        return self.exit_code

    def words(self) -> list[str]:
        """The verdict in plain words."""
        from kiridashi.report.diagnosis import messages
        from kiridashi.report.diagnosis.content import tell as in_words
        from kiridashi.report.diagnosis.content import tell_weakness

        say, verdict = messages(), self.verdict
        lines = [] if verdict.findings else [f"{self.diagnosis.clip}: {say('no_fault').lower()}"]
        for one in verdict.findings:
            told = in_words(one, self.diagnosis.rules, say)
            lines += [f"{self.diagnosis.clip}: {told.name}", f"  {told.text}", f"  {told.advice}"]
        for one in verdict.mildest:
            told = tell_weakness(one, say)
            lines.append(f"  {told.text} {told.limit}")
        if verdict.stands:
            lines.append(f"  {say('stands', list=', '.join(verdict.stands))}")
        if verdict.untried:
            lines.append(f"  {say('untried', list=', '.join(verdict.untried))}")
        return [*lines, f"look at {self.report}"]


def _run_of(
    key: "Key",
    setup: "Setup",
    scale: "Scale",
    changed: Mapping["Key", "Choice"],
    prompted: Mapping["Key", str],
) -> Run:
    from kiridashi.video.diagnosis.running import run_prompted, run_transformed

    if key in changed:
        return lambda gallery, step: run_transformed(setup, scale, changed[key], gallery, step)
    return lambda gallery, step: run_prompted(setup, scale, prompted[key], gallery, step)


def _severity(text: str) -> int:
    if not (text.strip().isdecimal() and 1 <= int(text) <= 5):
        raise UsageError(f"--severity takes numbers from 1 to 5 with commas between them, got {text!r}")
    return int(text)


def _check_first(first: "Mask", clip: "Clip", path: Path) -> None:
    if first.size != clip.size:
        given, wanted = (f"{width} x {height}" for height, width in (first.size, clip.size))
        raise InputError(f"{path}: the mask is {given} pixels, the frames {wanted}")
    if first.is_empty:
        raise InputError(f"{path}: the mask is empty; mark the object of the first frame in it")
