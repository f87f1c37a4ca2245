"""`cav`: reference segmentation as a video (CAV-SAM), the bridge chosen by the cycle."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Self

from torch import Tensor

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import ObjectResult
from kiridashi.reference.alignment.cache import NeckCache
from kiridashi.reference.alignment.delta import NeckDelta
from kiridashi.reference.alignment.tune import tune_neck
from kiridashi.reference.answer import AnswerRule, presence_score
from kiridashi.reference.cav import state
from kiridashi.reference.cav.bridges import BRIDGES, NO_FRAMES, Bridge
from kiridashi.reference.cav.cycle import PLAIN, choose, cycle_iou
from kiridashi.reference.cav.options import CavOptions
from kiridashi.reference.cav.progress import Progress, Tell, silent
from kiridashi.reference.cav.pseudo_masks import PseudoMasks
from kiridashi.reference.cav.pseudo_video import MOST_REFERENCES, follow, hint_frames, show_references
from kiridashi.reference.cav.state import CavState
from kiridashi.reference.transition import Transition, make_transition

NAME = "cav"


@dataclass(frozen=True, eq=False)
class Crossing:
    """How a target was reached over one bridge.

    Attributes:
        bridge: that was taken.
        result: the target's mask and object score.
        cycle: IoU of what comes back to the references; None when nobody asked.
    """

    bridge: Bridge
    result: ObjectResult
    cycle: float | None = None


class Cav:
    """Reference segmentation as a video.

    Args:
        model: with a trained memory.
        verdict: judge presence; off, the best guess is always given.
        instances: split the answer into objects; off, it stays one segment.
        seed: of what is random in tuning and transition, unless the options say otherwise.
        options: None: the cycle chooses among plain pair, DBST, TTGA and both.
        progress: shows what takes long.

    Attributes:
        references_: as given to `fit`.
        shown_: state of a video session that has seen them.
        aligned_shown_: the same on the tuned neck, if the video is to use it; else `shown_`.
        delta_: the tuned neck, if a bridge wants one; else None.
        pseudo_masks_: of the neck as it is.
        aligned_masks_: of the tuned neck.
        transitions_: by name, ready to make frames.
        rule_: of the verdict and the split into instances.
        bridge_: the bridge that `settle` chose for the site; else None.
    """

    def __init__(
        self,
        model: PromptableModel,
        *,
        verdict: bool = True,
        instances: bool = True,
        seed: int = 0,
        options: CavOptions | None = None,
        progress: Progress = silent,
    ) -> None:
        self.model = model
        self.verdict = verdict
        self.instances = instances
        self.seed = seed
        self.options = options or CavOptions().seeded(seed)
        self.progress = progress
        self._tell: Tell = lambda _done, _total: None
        self._last: tuple[tuple[str, str], dict[str, list[Picture]]] | None = None

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        """Show the references to the memory, tune the neck on them, and calibrate the verdict.

        Negatives set the verdict's threshold; the memory itself has no place for them. One of which
        only a part is marked may hold the object elsewhere: it tells nothing here.

        Raises:
            UsageError: no reference, or more than the memory holds; or what a bridge needs is not here.
            InputError: a reference mask covers its picture, and the neck is to be tuned on it.
            ModelUnavailableError: the diffusion model of a bridge cannot be had.
        """
        if not 1 <= len(references) <= MOST_REFERENCES:
            raise UsageError(f"{NAME} takes 1 to {MOST_REFERENCES} references, got {len(references)}")
        self.model.require("memory", f"method {NAME}")
        # What can fail comes first, so that what an earlier fit learned stays whole.
        self._make_transitions()
        delta = self._tuned(references) if any(bridge.aligned for bridge in self._bridges()) else None
        self._show(references)
        self._align(delta)
        present = [
            _score(self.model, _shown(self.model, [*references[:i], *references[i + 1 :]]), one.picture)
            for i, one in enumerate(references if len(references) > 1 else [])
        ]
        absent = [_score(self.model, self.shown_, one.picture) for one in negatives if one.mask is None]
        self.rule_ = AnswerRule.fit([reference.mask for reference in references], present, absent)
        self.bridge_: str | None = None
        return self

    def settle(self, pictures: Sequence[Picture]) -> str:
        """Choose one bridge for a site: the one with the best mean cycle IoU on some of its pictures.

        Args:
            pictures: a few targets; no labels are needed.

        Returns:
            Name of the bridge that every later picture takes.

        Raises:
            UsageError: no picture, or `fit` was not called.
        """
        self._require_fit("settle")
        if not pictures:
            raise UsageError("settle needs at least one picture of the site")
        crossings = [[self._judged(bridge, picture) for bridge in self._bridges()] for picture in pictures]
        means = {
            column[0].bridge.name: mean(one.cycle or 0.0 for one in column)
            for column in zip(*crossings, strict=True)
        }
        self.bridge_ = choose(means, self.options.margin)
        return self.bridge_

    def predict(self, picture: Picture) -> Segments:
        """The object's instances in a picture, best first, with the verdict and the bridge taken.

        The plain pair decides whether the object is there: a pseudo mask in the memory would find itself.
        """
        self._require_fit("predict")
        crossing = self._best(picture)
        provenance = {
            "method": NAME,
            "model": self.model.card.name,
            "refinement": "mask decoder with memory",
            "bridge": crossing.bridge.name,
        }
        if crossing.cycle is not None:
            provenance["cycle IoU"] = f"{crossing.cycle:.3f}"
        result = crossing.result
        if self.verdict and crossing.bridge.name != PLAIN:
            result = replace(result, object_score=self._cross(BRIDGES[PLAIN], picture).object_score)
        return self.rule_.apply(result, provenance, verdict=self.verdict, instances=self.instances)

    def frames(self, picture: Picture, bridge: str) -> tuple[Reference, list[Picture]]:
        """The reference from which a bridge sets out for a picture, and the frames between.

        Raises:
            UsageError: `fit` was not called, or the bridge is not among the options.
        """
        self._require_fit("frames")
        if bridge not in self.options.bridges:
            raise UsageError(f"bridges of this method are {', '.join(self.options.bridges)}; got {bridge!r}")
        reference = self.references_[self.pseudo_masks_.nearest(picture)]
        return reference, self._frames(BRIDGES[bridge], reference, picture)

    def save(self, path: Path) -> None:
        """Write the learned state."""
        self._require_fit("save")
        learned = CavState(self.references_, self.delta_, self.rule_, self.bridge_ or "")
        state.save(path, NAME, learned, self.model, self.options)

    def load(self, path: Path) -> Self:
        """Take back a saved state.

        Raises:
            InputError: not a saved cav method, or one made with another model or other options.
        """
        learned = state.load(path, NAME, self.model, self.options)
        self._make_transitions()
        self._show(learned.references)
        self._align(learned.delta)
        self.rule_, self.bridge_ = learned.rule, learned.bridge or None
        return self

    def _show(self, references: Sequence[Reference]) -> None:
        self.references_ = tuple(references)
        self.shown_ = _shown(self.model, references)
        self.pseudo_masks_ = PseudoMasks(self.model, references)

    def _align(self, delta: NeckDelta | None) -> None:
        self.delta_ = delta
        with self._neck(aligned=delta is not None):
            self.aligned_masks_ = PseudoMasks(self.model, self.references_)
            own = delta is not None and self.options.video_uses_tuned_neck
            self.aligned_shown_ = _shown(self.model, self.references_) if own else self.shown_

    def _tuned(self, references: Sequence[Reference]) -> NeckDelta:
        options = self.options
        with self.progress("tuning the neck") as tell:
            if options.cache is None:
                return tune_neck(self.model, references, options.alignment, tell)
            necks = NeckCache(options.cache / "necks")
            return necks.neck(self.model, references, options.alignment, tell)

    def _make_transitions(self) -> None:
        """What makes the frames, loaded once; a missing library or model is told before any target."""
        wanted = {bridge.transition for bridge in self._bridges()}
        cache = None if self.options.cache is None else self.options.cache / "transitions"
        self.transitions_: dict[str, Transition] = {
            name: make_transition(
                name,
                self.options.transition,
                label=self.options.label,
                cache=cache,
                progress=lambda done, total: self._tell(done, total),
            )
            for name in sorted(wanted)
        }

    def _bridges(self) -> list[Bridge]:
        return [BRIDGES[name] for name in self.options.bridges]

    def _best(self, picture: Picture) -> Crossing:
        """The crossing that is taken for a picture."""
        bridges = [BRIDGES[self.bridge_]] if self.bridge_ else self._bridges()
        if len(bridges) == 1:
            return Crossing(bridges[0], self._cross(bridges[0], picture))
        crossings: dict[str, Crossing] = {}
        for bridge in sorted(bridges, key=lambda one: one.name != PLAIN):
            crossings[bridge.name] = crossing = self._judged(bridge, picture)
            if bridge.name == PLAIN and (crossing.cycle or 0.0) + self.options.margin > 1:
                # No other bridge can beat it by the margin, and each would cost seconds.
                return crossing
        cycles = {name: one.cycle or 0.0 for name, one in crossings.items()}
        return crossings[choose(cycles, self.options.margin)]

    def _judged(self, bridge: Bridge, picture: Picture) -> Crossing:
        result = self._cross(bridge, picture)
        return Crossing(bridge, result, cycle_iou(self.model, picture, result.guessed, self.references_))

    def _cross(self, bridge: Bridge, picture: Picture) -> ObjectResult:
        """The target over one bridge."""
        reference = self.references_[self.pseudo_masks_.nearest(picture)]
        frames = self._frames(bridge, reference, picture)
        hints = self._hints(bridge, frames, picture)
        if hints and not frames:
            # Nothing lies between: the target stands in for a frame, so that the tuned neck has its say.
            frames = [picture]
        shown = self.aligned_shown_ if bridge.aligned else self.shown_
        with self._neck_of_video(bridge):
            return follow(self.model, shown, frames, hints, picture, self.options.prompt)

    def _frames(self, bridge: Bridge, reference: Reference, picture: Picture) -> list[Picture]:
        """Frames of a bridge; those of the last pair are kept, because several bridges share them."""
        if bridge.transition == NO_FRAMES:
            return []
        pair = reference.picture.digest, picture.digest
        if self._last is None or self._last[0] != pair:
            self._last = pair, {}
        made = self._last[1]
        if bridge.transition not in made:
            with self.progress(f"transition to {picture.name}") as self._tell:
                frames = self.transitions_[bridge.transition].frames(reference.picture, picture)
            made[bridge.transition] = frames
        return made[bridge.transition]

    def _hints(self, bridge: Bridge, frames: Sequence[Picture], picture: Picture) -> list[Mask | None]:
        """Pseudo masks of the first frames."""
        masks = self.aligned_masks_ if bridge.aligned else self.pseudo_masks_
        with self._neck(aligned=bridge.aligned):
            if bridge.aligned and not frames:
                own = masks.mask(picture)
                return [] if own is None else [own]
            return hint_frames(masks, frames, self.options.prompt_share)

    @contextmanager
    def _neck(self, *, aligned: bool) -> Iterator[None]:
        if not aligned or self.delta_ is None:
            yield
            return
        with self.delta_.applied(self.model):
            yield

    def _neck_of_video(self, bridge: Bridge) -> AbstractContextManager[None]:
        return self._neck(aligned=bridge.aligned and self.options.video_uses_tuned_neck)

    def _require_fit(self, verb: str) -> None:
        if not hasattr(self, "rule_"):
            raise UsageError(f"{verb} came before fit; call fit with the references first")


def _shown(model: PromptableModel, references: Sequence[Reference]) -> dict[str, Tensor]:
    return show_references(model, references).state()


def _score(model: PromptableModel, shown: Mapping[str, Tensor], picture: Picture) -> float:
    """Presence as the plain pair sees it: no frames, no pseudo masks."""
    return presence_score(follow(model, shown, [], [], picture, "mask"))
