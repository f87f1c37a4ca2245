"""The transitions by name."""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.reference.transition.backend import Backend
from kiridashi.reference.transition.controls import Affine, CrossFade, NoTransition
from kiridashi.reference.transition.options import COMPACT, TransitionOptions

Progress = Callable[[int, int], None]
TRANSITION_NAMES = ("none", "cross-fade", "affine", "dbst")


@runtime_checkable
class Transition(Protocol):
    """Makes the frames between a reference and a target."""

    @property
    def name(self) -> str:
        """One of `TRANSITION_NAMES`."""
        ...

    def frames(self, reference: Picture, target: Picture) -> list[Picture]:
        """Frames of the target's size, from the reference's side to the target's; maybe none."""
        ...


def make_transition(
    name: str,
    options: TransitionOptions | None = None,
    *,
    label: str = "",
    target_label: str | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Transition:
    """A transition ready to make frames; `dbst` loads its diffusion model now.

    Args:
        name: of `TRANSITION_NAMES`.
        options: None: the published ones.
        label: what the pictures show, for `dbst` with a model that takes text.
        target_label: what the target shows, if it is something else.
        cache: folder in which `dbst` keeps what it learned of single pictures; None: in memory only.
        progress: told (steps done, steps in all) of each pair by `dbst`.

    Raises:
        UsageError: no transition of this name, or the libraries of `dbst` are not installed, or no such
            model, or too little memory for it.
        ModelUnavailableError: the diffusion model's files are not on this machine and cannot be fetched.
        InputError: they are damaged or of another kind.
    """
    options = options or TransitionOptions()
    if name == "none":
        return NoTransition()
    if name == "cross-fade":
        return CrossFade(options)
    if name == "affine":
        return Affine(options)
    if name == "dbst":
        from kiridashi.reference.transition.dbst import Dbst

        return Dbst(
            load_backend(options.backend),
            options,
            label=label,
            target_label=target_label,
            cache=cache,
            progress=progress,
        )
    near = get_close_matches(name, TRANSITION_NAMES, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(f"no transition named {name!r}.{hint} Known: {', '.join(TRANSITION_NAMES)}")


def load_backend(name: str) -> Backend:
    """The diffusion model of `TransitionOptions.backend`; raises as `make_transition`."""
    # Callers may be in inference mode, and a LoRA cannot be learned through weights that were made there.
    with torch.inference_mode(False):
        if name == COMPACT:
            from kiridashi.reference.transition.compact import load_compact

            return load_compact()
        from kiridashi.reference.transition.stable_diffusion import load_stable_diffusion

        return load_stable_diffusion(name)
