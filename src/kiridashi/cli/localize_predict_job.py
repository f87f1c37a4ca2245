"""The work of `kiridashi localize predict`, from its arguments to its folder of results."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.batch import Outcome, run_batch
from kiridashi.cli.progress import Display
from kiridashi.cli.suggest import check_choice
from kiridashi.cli.summary import Summary
from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.data.targets import find_targets
from kiridashi.report.folder import ANNOTATIONS, MASKS, OVERLAYS, REPORT, RESULTS

if TYPE_CHECKING:
    from kiridashi.cli.localize_opening import Opened
    from kiridashi.localize.localizer import Localizer
    from kiridashi.localize.settings import LocaliseSettings
    from kiridashi.report.localisation import LocalisationFolder


@dataclass(frozen=True)
class PredictJob:
    """What the user asks of `localize predict`; see its options.

    Attributes:
        model: folder of the trained network.
        sam: name of what draws the masks; None: the model that the network looks through.
        matching: None: that of `LocaliseSettings`.
    """

    targets: tuple[str, ...]
    model: Path
    out: Path
    sam: str | None = None
    points_per_side: int = 16
    candidates: int | None = None
    matching: str | None = None
    min_score: float | None = None
    pseudo_labels: bool = False
    cache: Path | None = None
    resume: bool = False
    overwrite: bool = False
    language: str = "en"
    quiet: bool = False

    def run(self) -> Summary:
        """Do it all.

        Raises:
            UsageError: the arguments do not fit, or the folder cannot be used.
            InputError: the MODEL folder is none, or damaged.
            ModelUnavailableError: a model's files are not here.
            Interrupted: Ctrl-C; what is finished is in the folder.
        """
        from kiridashi.report.page import LANGUAGES

        check_choice("language", self.language, LANGUAGES)
        if self.min_score is not None and not 0 <= self.min_score <= 1:
            raise UsageError(f"--min-score is in 0..1, got {self.min_score}")
        from kiridashi.models.threads import pictures_at_once

        settings = self._settings()
        # The masks of an earlier run must not become targets of this one.
        targets = find_targets(self.targets, exclude=[self.out])
        with Display(quiet=self.quiet) as display:
            started = time.perf_counter()
            with display.waiting("loading the model and the network"):
                opened, localizer = self._open(settings)
                folder = self._open_folder(opened, localizer)
            loading = time.perf_counter() - started
            outcome = run_batch(
                folder,
                targets,
                lambda picture: _look(localizer, folder, picture),
                quiet=self.quiet,
                verb="localize",
                display=display,
                threads=pictures_at_once(opened.sam),
            )
        files = self._review(outcome)
        self._report(folder, outcome, opened, localizer, loading)
        return self._summary(outcome, loading, files)

    def _settings(self) -> "LocaliseSettings":
        from kiridashi.localize.settings import MEASURES, LocaliseSettings

        settings = LocaliseSettings(points_per_side=self.points_per_side, most_candidates=self.candidates)
        if self.matching is None:
            return settings
        check_choice("way of matching", self.matching, MEASURES)
        return replace(settings, measure=next(one for one in MEASURES if one == self.matching))

    def _open(self, settings: "LocaliseSettings") -> tuple["Opened", "Localizer"]:
        from kiridashi.cli.localize_opening import open_model
        from kiridashi.data.cache_folder import open_cache
        from kiridashi.localize.gallery import Galleries
        from kiridashi.localize.localizer import Localizer
        from kiridashi.localize.settings import for_inspection

        opened = open_model(self.model, self.sam)
        if opened.facts.inspects:
            settings = for_inspection(settings)
        galleries = Galleries(opened.sam, settings.grid, open_cache(self.cache))
        localizer = Localizer(
            opened.sam,
            opened.network,
            settings,
            thresholds=self._thresholds(opened),
            galleries=galleries,
        )
        return opened, localizer

    def _thresholds(self, opened: "Opened") -> Mapping[str, float] | None:
        """From which score on a class is there; None: of classes that exclude one another, the best is."""
        facts = opened.facts
        if self.min_score is not None:
            return dict.fromkeys(facts.classes, self.min_score)
        return None if facts.single else facts.score_thresholds

    def _open_folder(self, opened: "Opened", localizer: "Localizer") -> "LocalisationFolder":
        from kiridashi.report.localisation import LocalisationFolder

        card = opened.sam.card
        thresholds = localizer.thresholds
        settings: dict[str, Any] = {
            "command": "localize predict",
            "network": opened.digest,
            "model": card.name,
            "model file": card.sha256 or card.source,
            "least scores": "best class" if thresholds is None else _listed(thresholds),
            **localizer.settings.to_dict(),
        }
        numbers = {name: place for place, name in enumerate(opened.facts.classes, start=1)}
        return LocalisationFolder.begin(
            self.out, settings, numbers, resume=self.resume, overwrite=self.overwrite
        )

    def _review(self, outcome: Outcome) -> dict[str, Path]:
        """The pseudo-labels, where they are wanted."""
        if not self.pseudo_labels:
            return {}
        from kiridashi.localize.review import PSEUDO, write_review
        from kiridashi.localize.telling import pseudo_labels

        listed = write_review(self.out, pseudo_labels(outcome.records))
        return {"pseudo": self.out / PSEUDO, "review": listed}

    def _report(
        self,
        folder: "LocalisationFolder",
        outcome: Outcome,
        opened: "Opened",
        localizer: "Localizer",
        loading: float,
    ) -> None:
        from kiridashi.report.localisation import Localisations, write_report
        from kiridashi.report.page import Timing

        settings, side = localizer.settings, self.points_per_side
        thresholds = localizer.thresholds
        facts = {
            "grid": f"{side} x {side}",
            "candidates_kept": "all" if self.candidates is None else str(self.candidates),
            "matching": f"{settings.measure}, {settings.side} x {settings.side}",
            "thresholds": "-" if thresholds is None else _listed(thresholds),
        }
        localisations = Localisations(
            records=outcome.records,
            overlays=folder.overlay_path,
            card=opened.sam.card,
            timing=Timing(loading, outcome.seconds),
            stages=folder.stages_path,
            numbers=folder.numbers,
            network=str(self.model),
            facts=facts,
            pseudo="pseudo, review.csv" if self.pseudo_labels else None,
        )
        write_report(folder.path / REPORT, localisations, self.language)

    def _summary(self, outcome: Outcome, loading: float, more: Mapping[str, Path]) -> Summary:
        from kiridashi.report.localisation.folder import MAPS, STAGES

        names = {
            "masks": MASKS,
            "maps": MAPS,
            "stages": STAGES,
            "overlays": OVERLAYS,
            "annotations": ANNOTATIONS,
            "results": RESULTS,
            "report": REPORT,
        }
        files = {key: self.out / name for key, name in names.items()}
        return LocaliseSummary("localize predict", self.out, outcome, loading, {**files, **more}, True)


class LocaliseSummary(Summary):
    """The end of `localize predict`."""

    def to_json(self) -> dict[str, Any]:
        """For `--json`; also in how many pictures nothing was found, and how many masks stayed coarse."""
        from kiridashi.report.localisation import Outcome as Found

        found = [Found.of(record) for record in self.outcome.records if record.error is None]
        return {
            **super().to_json(),
            "nothing_found": sum(not one.notes for one in found),
            "kept_coarse": sum(one.fallbacks for one in found),
        }

    def _parts(self, told: Mapping[str, Any]) -> list[str]:
        """Instead of present and absent, which classes are not asked for one by one."""
        parts = super()._parts({**told, "present": 0, "absent": 0})
        masks = f"{told['instances']} mask{'' if told['instances'] == 1 else 's'}"
        coarse = [f"{told['kept_coarse']} of them kept coarse"] if told["kept_coarse"] else []
        nothing = [f"nothing found in {told['nothing_found']}"] if told["nothing_found"] else []
        return [masks, *coarse, *nothing, *parts[1:]]

    def _lines(self) -> list[str]:
        lines = super()._lines()
        if "review" in self.files:
            lines.append(f"what to check first: {self.files['review']}")
            lines.append(
                f"then: kiridashi classes add CLASS --samples {self.files['pseudo'] / 'CLASS'} --store FILE"
            )
        return lines


def _look(localizer: "Localizer", folder: "LocalisationFolder", picture: Picture) -> Segments:
    from kiridashi.localize.telling import stages_of

    found = localizer.predict(picture)
    # Still in memory: it was made for this very picture.
    wanted = localizer.wanted(found.look)
    masks = localizer.galleries.of(picture, wanted).masks if found.found else ()
    folder.hold(picture, stages_of(found, masks))
    return found.segments


def _listed(thresholds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in thresholds.items())
