"""The work of `kiridashi detect`, from its arguments to its folder of results."""

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.batch import Outcome, run_batch
from kiridashi.cli.progress import Display
from kiridashi.cli.recording import Recorder
from kiridashi.cli.suggest import check_choice
from kiridashi.cli.summary import Summary
from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.data.files import one_line
from kiridashi.data.targets import find_targets
from kiridashi.report.folder import ANNOTATIONS, MASKS, OVERLAYS, REPORT, RESULTS, RunFolder

if TYPE_CHECKING:
    from kiridashi.classes.detector import Detector
    from kiridashi.classes.registry import RegistryState, Statistic


@dataclass(frozen=True)
class DetectJob:
    """What the user asks of `detect`; see its options.

    Attributes:
        store: file of the registry.
        record: whether statistics go into it.
    """

    targets: tuple[str, ...]
    store: Path
    out: Path
    model: str | None = None
    head: Path | None = None
    grid: int = 16
    min_score: float = 0.0
    record: bool = True
    resume: bool = False
    overwrite: bool = False
    language: str = "en"
    quiet: bool = False

    def run(self) -> Summary:
        """Do it all.

        Raises:
            UsageError: the arguments or the registry do not fit, it has no classes, or the folder cannot be
                used.
            InputError: no registry, or a damaged one.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C; what is finished is in the folder.
        """
        from kiridashi.models.catalogue import find_card
        from kiridashi.report.page import LANGUAGES

        check_choice("language", self.language, LANGUAGES)
        if not 0 <= self.min_score <= 1:
            raise UsageError(f"--min-score is in 0..1, got {self.min_score}")
        if self.model is not None:
            find_card(self.model)
        # The masks of an earlier run must not become targets of this one.
        targets = find_targets(self.targets, exclude=[self.out])
        with Display(quiet=self.quiet) as display:
            started = time.perf_counter()
            with display.waiting("loading the model and the classes"):
                state, detector = self._open()
                folder = self._open_folder(state, detector)
            loading = time.perf_counter() - started
            with Recorder(self.store, wanted=self.record) as recorder:
                watch = _Watch(detector, _numbers(state), self.min_score, recorder)
                outcome = run_batch(
                    folder,
                    targets,
                    watch.look,
                    quiet=self.quiet,
                    verb="detect",
                    display=display,
                    kept=watch.keep,
                )
        self._report(folder, outcome, state, detector, loading)
        return self._summary(outcome, loading)

    def _open(self) -> tuple["RegistryState", "Detector"]:
        """The classes and their detector; both of one state, whoever else writes."""
        from kiridashi.classes.detector import DetectorSettings
        from kiridashi.classes.opening import open_detector, open_registry
        from kiridashi.classes.proposals import ProposalSettings
        from kiridashi.models.grid import GridSettings

        settings = DetectorSettings(ProposalSettings(GridSettings(points_per_side=self.grid)))
        with open_registry(self.store) as before:
            event = before.state().event
        registry, detector = open_detector(self.store, self.model, settings, head=self.head)
        with registry:
            state = registry.state()
        if state.event != event:
            raise UsageError(
                one_line(f"{self.store}: the registry was changed at this very moment; repeat the command")
            )
        detector.model.require("mask_decoder", "proposing objects")
        return state, detector

    def _open_folder(self, state: "RegistryState", detector: "Detector") -> RunFolder:
        from kiridashi.core.adapters.named_overlay import draw_named

        numbers = _numbers(state)
        return RunFolder.open(
            self.out,
            self._settings(state, detector),
            resume=self.resume,
            overwrite=self.overwrite,
            categories=numbers,
            drawing=partial(draw_named, numbers=numbers),
        )

    def _settings(self, state: "RegistryState", detector: "Detector") -> dict[str, Any]:
        """All that the results depend on."""
        card = detector.model.card
        return {
            "command": "detect",
            "model": card.name,
            "model file": card.sha256 or card.source,
            "grid": self.grid,
            "min score": self.min_score,
            "registry state": f"event {state.event} ({_digest(state)[:12]})",
        }

    def _report(
        self,
        folder: RunFolder,
        outcome: Outcome,
        state: "RegistryState",
        detector: "Detector",
        loading: float,
    ) -> None:
        from kiridashi.report.detections import Detections, KnownClass, write_report
        from kiridashi.report.page import Timing

        detections = Detections(
            records=outcome.records,
            overlays=folder.overlay_path,
            card=detector.model.card,
            timing=Timing(loading, outcome.seconds),
            classes=[KnownClass(one.name, one.identity, len(one.shots)) for one in state.classes.values()],
            registry=str(self.store),
            event=state.event,
            background=len(state.background),
            facts={"grid": f"{self.grid} x {self.grid}", "min_score": f"{self.min_score:g}"},
        )
        write_report(folder.path / REPORT, detections, self.language)

    def _summary(self, outcome: Outcome, loading: float) -> Summary:
        names = {
            "masks": MASKS,
            "overlays": OVERLAYS,
            "annotations": ANNOTATIONS,
            "results": RESULTS,
            "report": REPORT,
        }
        files = {key: self.out / name for key, name in names.items()}
        return Summary("detect", self.out, outcome, loading, files, by_class=True)


@dataclass
class _Watch:
    """Looks at picture after picture, and records what it saw once that is in the folder.

    In this order, a run that is killed between the two and resumed counts no picture twice.
    """

    detector: "Detector"
    numbers: dict[str, int]
    min_score: float
    recorder: Recorder
    seen: tuple["Statistic", ...] = field(default=())

    def look(self, picture: Picture) -> Segments:
        from kiridashi.classes.sighting import sight

        sighting = sight(self.detector, picture, self.numbers, self.min_score)
        self.seen = sighting.statistics
        return sighting.segments

    def keep(self) -> None:
        self.recorder.write(self.seen)


def _numbers(state: "RegistryState") -> dict[str, int]:
    return {name: each.identity for name, each in state.classes.items()}


def _digest(state: "RegistryState") -> str:
    """SHA-256 of all in a registry that a result depends on: two registries may both be at event 3."""
    import hashlib

    digest = hashlib.sha256(f"{state.fingerprint} {state.event}".encode())
    for each in state.classes.values():
        digest.update(repr((each.name, each.identity, each.threshold, each.shots.shape)).encode())
        digest.update(each.shots.tobytes())
    digest.update(state.background.tobytes())
    return digest.hexdigest()
