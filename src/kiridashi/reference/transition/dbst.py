"""DBST: frames between two pictures by a diffusion model that knows both (CAV-SAM, section on DBST).

Each picture gets a LoRA and is inverted to noise under it; each frame is made of LoRA, noise and text
between the two. DiffMorpher's additions for the human eye are left out, as in CAV-SAM.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from kiridashi.core.picture import Picture
from kiridashi.reference.transition.anchors import Anchor, Anchors, denoiser
from kiridashi.reference.transition.backend import Backend
from kiridashi.reference.transition.controls import resized
from kiridashi.reference.transition.diffusion import denoise
from kiridashi.reference.transition.interpolation import between_noises, lerp, lerp_states
from kiridashi.reference.transition.lora import Adapter, adapted
from kiridashi.reference.transition.options import TransitionOptions
from kiridashi.reference.transition.threads import at_most

# Told (steps done, steps in all) of one pair.
Progress = Callable[[int, int], None]


class Dbst:
    """Diffusion-made transition.

    Args:
        backend: the diffusion model.
        options: of the transition.
        label: what the reference shows, for a model that takes text; the paper gives the class name.
        target_label: what the target shows; None: the same.
        cache: folder of what is known of single pictures; None keeps it in memory only.
        progress: told (steps done, steps in all) of each pair; what was kept counts as done.
    """

    name = "dbst"

    def __init__(
        self,
        backend: Backend,
        options: TransitionOptions,
        *,
        label: str = "",
        target_label: str | None = None,
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._backend, self._options = backend, options
        self._label, self._target_label = label, label if target_label is None else target_label
        self._anchors = Anchors(backend, options, cache)
        self._progress = progress

    def frames(self, reference: Picture, target: Picture) -> list[Picture]:
        """Frames of the target's size, from the reference's side to the target's.

        Raises:
            UsageError: the cache folder cannot be written, or a LoRA's training runs away.
        """
        tick = _Ticker(2 * self._anchors.cost + self._options.frames * self._options.steps, self._progress)
        with at_most(self._backend.threads):
            start = self._anchors.anchor(reference, self._label, tick)
            end = self._anchors.anchor(target, self._target_label, tick)
            with self._layers() as layers:
                pictures = [self._frame(layers, start, end, alpha, tick) for alpha in self._options.alphas()]
        return [
            Picture(resized(picture.pixels, target.size), f"{self.name} {alpha:.3f}")
            for picture, alpha in zip(pictures, self._options.alphas(), strict=True)
        ]

    def _layers(self) -> AbstractContextManager[Adapter | None]:
        if not self._options.lora_steps:
            return nullcontext()
        return adapted(self._backend, self._options.rank)

    def _frame(
        self, layers: Adapter | None, start: Anchor, end: Anchor, alpha: float, tick: "_Ticker"
    ) -> Picture:
        """The square frame at one alpha."""
        backend, options = self._backend, self._options
        if layers is not None:
            layers.load(lerp_states(start.lora, end.lora, alpha))
        text = None if start.text is None or end.text is None else lerp(start.text, end.text, alpha)
        noise = between_noises(start.noise, end.noise, alpha, options.adain)
        latent = denoise(noise, denoiser(backend, text), backend.schedule, options.steps, tick)
        return backend.to_picture(latent)


class _Ticker:
    """Counts steps for the progress display."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)
