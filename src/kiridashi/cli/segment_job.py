"""The work of `kiridashi segment`, from its arguments to its folder of results."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.batch import Outcome, run_batch
from kiridashi.cli.bridging import Bridging, settle, strip_of
from kiridashi.cli.progress import Display
from kiridashi.cli.references import mask_digest, read_reference
from kiridashi.cli.suggest import check_choice
from kiridashi.cli.summary import Summary
from kiridashi.core.errors import ModelUnavailableError, UsageError
from kiridashi.core.reference import Negative, Reference
from kiridashi.data.pictures import read_picture
from kiridashi.data.targets import Target, find_targets
from kiridashi.report.folder import (
    ANNOTATIONS,
    MASKS,
    OVERLAYS,
    REPORT,
    RESULTS,
    TRANSITIONS,
    RunFolder,
)

if TYPE_CHECKING:
    from kiridashi.models.promptable import PromptableModel
    from kiridashi.reference.method import Method

WITHOUT_DIFFUSION = "name another one with --diffusion-model; --method cav-ttga and concat need none"


@dataclass(frozen=True)
class SegmentJob:
    """What the user asks of `segment`; see its options.

    Attributes:
        bridging: options of the `cav` methods.
        plain: no verdict, no check against the references, no split into instances.
    """

    references: tuple[Path, ...]
    masks: tuple[Path, ...]
    targets: tuple[str, ...]
    out: Path
    negatives: tuple[str, ...] = ()
    model: str = "compact"
    method: str = "prototype"
    bridging: Bridging = field(default_factory=Bridging)
    plain: bool = False
    seed: int = 0
    resume: bool = False
    overwrite: bool = False
    language: str = "en"
    quiet: bool = False

    def run(self) -> Summary:
        """Do it all.

        Raises:
            UsageError: the arguments do not fit together, or the folder cannot be used.
            InputError: a reference, mask or negative cannot be used.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C.
        """
        from kiridashi.models.catalogue import find_card
        from kiridashi.report.page import LANGUAGES

        check_choice("language", self.language, LANGUAGES)
        find_card(self.model)
        # The masks of an earlier run must not become targets of this one.
        targets = find_targets(self.targets, exclude=[self.out])
        references, negatives = self._read_references(), self._read_negatives()
        with Display(quiet=self.quiet) as display:
            folder, outcome, model, learning = self._work(display, targets, references, negatives)
        self._report(folder, outcome, references, negatives, model, learning)
        return self._summary(outcome, learning)

    def _work(
        self,
        display: Display,
        targets: Sequence[Target],
        references: Sequence[Reference],
        negatives: Sequence[Negative],
    ) -> tuple[RunFolder, Outcome, "PromptableModel", float]:
        """Learn and do every target; gives the seconds of learning too."""
        started = time.perf_counter()
        # Only now torch: whatever is wrong so far was told at once.
        with display.waiting("loading the model and learning"):
            from kiridashi.reference.methods import METHOD_NAMES

            check_choice("method", self.method, METHOD_NAMES)
            self.bridging.check([self.method])
            settings = self._settings(references, negatives)
            folder = RunFolder.open(self.out, settings, resume=self.resume, overwrite=self.overwrite)
            method, model = self._learn(references, negatives, display)
        if self.bridging.for_site:
            with display.waiting("choosing the way for all pictures"):
                settle(method, targets, [record.provenance for record in folder.records.values()])
        learning = time.perf_counter() - started
        strip = partial(strip_of, method)
        outcome = run_batch(
            folder, targets, method.predict, quiet=self.quiet, verb="segment", strip=strip, display=display
        )
        return folder, outcome, model, learning

    def _read_references(self) -> list[Reference]:
        if len(self.references) != len(self.masks):
            raise UsageError(
                f"{len(self.references)} --reference but {len(self.masks)} --mask; "
                "give one mask for each reference, in the same order"
            )
        return [read_reference(*pair) for pair in zip(self.references, self.masks, strict=True)]

    def _read_negatives(self) -> list[Negative]:
        if not self.negatives:
            return []
        found = find_targets(self.negatives, exclude=[self.out])
        # A negative changes every result, so one that is left out silently would mislead.
        return [Negative(read_picture(each.path)) for each in found]

    def _settings(self, references: Sequence[Reference], negatives: Sequence[Negative]) -> dict[str, Any]:
        """All that the results depend on."""
        from kiridashi.models.catalogue import find_card

        card = find_card(self.model)
        return {
            "command": "segment",
            "method": self.method,
            "model": card.name,
            "model file": card.sha256 or card.source,
            "everything-off": self.plain,
            "seed": self.seed,
            **self.bridging.settings([self.method]),
            "references": [[each.picture.digest, mask_digest(each.mask)] for each in references],
            "negatives": [each.picture.digest for each in negatives],
        }

    def _learn(
        self, references: Sequence[Reference], negatives: Sequence[Negative], display: Display
    ) -> tuple["Method", "PromptableModel"]:
        from kiridashi.models.loading import load_model
        from kiridashi.reference.methods import make_method

        options = self.bridging.options([self.method])
        more: dict[str, Any] = {} if options is None else {"options": options, "progress": display.part}
        model = load_model(self.model)
        method = make_method(
            self.method, model, verdict=not self.plain, instances=not self.plain, seed=self.seed, **more
        )
        try:
            return method.fit(references, negatives), model
        except ModelUnavailableError as error:
            raise ModelUnavailableError(f"{error}\n{WITHOUT_DIFFUSION}") from error

    def _report(
        self,
        folder: RunFolder,
        outcome: Outcome,
        references: Sequence[Reference],
        negatives: Sequence[Negative],
        model: "PromptableModel",
        learning: float,
    ) -> None:
        from kiridashi.report.page import Report, Timing, write_report

        report = Report(
            references=references,
            negatives=negatives,
            records=outcome.records,
            overlays=folder.overlay_path,
            strips=folder.strip_path,
            method=self.method,
            transition=self.bridging.settings([self.method]),
            card=model.card,
            plain=self.plain,
            seed=self.seed,
            timing=Timing(learning, outcome.seconds),
        )
        write_report(folder.path / REPORT, report, self.language)

    def _summary(self, outcome: Outcome, learning: float) -> Summary:
        names = {
            "masks": MASKS,
            "overlays": OVERLAYS,
            "annotations": ANNOTATIONS,
            "results": RESULTS,
            "report": REPORT,
        }
        if (self.out / TRANSITIONS).is_dir():
            names["transitions"] = TRANSITIONS
        return Summary(
            command="segment",
            out=self.out,
            outcome=outcome,
            learning=learning,
            files={key: self.out / name for key, name in names.items()},
        )
