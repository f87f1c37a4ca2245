"""What a picture costs once: its LoRA and the noise that makes it, kept in memory and on disk by content."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.atomic import write_bytes
from kiridashi.data.files import reason_of
from kiridashi.reference.transition.backend import Backend
from kiridashi.reference.transition.diffusion import Denoiser, invert
from kiridashi.reference.transition.lora import adapted, train_lora
from kiridashi.reference.transition.options import TransitionOptions

Tick = Callable[[], None]
FORMAT = "kiridashi-transition-1"
NOISE, LORA = "noise", "lora."
# Of one run: the references come again with every target.
MOST_IN_MEMORY = 16


@dataclass(frozen=True, eq=False)
class Anchor:
    """One end of a transition.

    Attributes:
        lora: weights by name; empty without a LoRA.
        noise: (1, C, H, W) float32.
        text: (1, N, D) embedding of the label, or None.
    """

    lora: dict[str, Tensor]
    noise: Tensor
    text: Tensor | None


class Anchors:
    """Makes anchors, none of them twice.

    Args:
        backend: the diffusion model.
        options: of the transition.
        folder: of the kept anchors; None keeps them in memory only. Deleting it or any file in it does no
            harm.
    """

    def __init__(self, backend: Backend, options: TransitionOptions, folder: Path | None = None) -> None:
        self._backend, self._options, self._folder = backend, options, folder
        self._recent: OrderedDict[str, Anchor] = OrderedDict()

    def anchor(self, picture: Picture, label: str = "", tick: Tick | None = None) -> Anchor:
        """The anchor of a picture: remembered, read, or made and kept.

        Args:
            picture: the reference or the target.
            label: what it shows; "" when nobody says.
            tick: called after each of `cost` steps; all at once when nothing is made.

        Raises:
            UsageError: the folder cannot be written, which is tried before training; or the training ran
                away.
        """
        key, text = self.key(picture, label), self._backend.text(label)
        found = self._recent.pop(key, None) or self._read(key, text)
        if found is None:
            self._make_folder()
            found = self._made(picture, text, tick)
            self._write(key, found)
        elif tick:
            for _ in range(self.cost):
                tick()
        self._recent[key] = found
        while len(self._recent) > MOST_IN_MEMORY:
            self._recent.popitem(last=False)
        return found

    @property
    def cost(self) -> int:
        """Steps of one anchor."""
        return self._options.lora_steps + self._options.steps

    def key(self, picture: Picture, label: str = "") -> str:
        """SHA-256 of all that decides an anchor."""
        options = self._options
        parts = {
            "format": FORMAT,
            "picture": picture.digest,
            "backend": self._backend.digest,
            "targets": self._backend.lora_targets,
            "label": label,
            "steps": options.steps,
            "seed": options.seed,
            "lora": [options.rank, options.lora_steps, options.lora_batch],
            "rates": [options.learning_rate, options.weight_decay],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def path(self, picture: Picture, label: str = "") -> Path | None:
        """Where a picture's anchor is, or would be; None without a folder."""
        return self._folder and self._folder / f"{self.key(picture, label)}.safetensors"

    def _made(self, picture: Picture, text: Tensor | None, tick: Tick | None) -> Anchor:
        backend, options = self._backend, self._options
        clean, find = backend.to_latent(picture), denoiser(backend, text)
        if not options.lora_steps:
            return Anchor({}, invert(clean, find, backend.schedule, options.steps, tick), text)
        lora = train_lora(backend, clean, text, options, tick)
        with adapted(backend, options.rank) as layers:
            layers.load(lora)
            return Anchor(lora, invert(clean, find, backend.schedule, options.steps, tick), text)

    def _read(self, key: str, text: Tensor | None) -> Anchor | None:
        """A kept anchor; None when there is none, or a damaged one, which is then made anew."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        if self._folder is None:
            return None
        try:
            tensors = load((self._folder / f"{key}.safetensors").read_bytes())
            noise = tensors.pop(NOISE)
        except (OSError, SafetensorError, KeyError):
            return None
        lora = {name.removeprefix(LORA): value for name, value in tensors.items()}
        whole = all(bool(torch.isfinite(value).all()) for value in (noise, *lora.values()))
        return Anchor(lora, noise, text) if whole and self._fits(lora) else None

    def _fits(self, lora: dict[str, Tensor]) -> bool:
        if not self._options.lora_steps:
            return not lora
        with adapted(self._backend, self._options.rank) as layers:
            return layers.fits(lora)

    def _write(self, key: str, anchor: Anchor) -> None:
        from safetensors.torch import save

        if self._folder is not None:
            tensors = {LORA + name: value.contiguous() for name, value in anchor.lora.items()}
            content = save({**tensors, NOISE: anchor.noise.contiguous()}, metadata={"format": FORMAT})
            write_bytes(self._folder / f"{key}.safetensors", content)

    def _make_folder(self) -> None:
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{self._folder}: transitions cannot be kept here ({reason_of(error)}); name another folder"
            ) from error


def denoiser(backend: Backend, text: Tensor | None) -> Denoiser:
    """The back-end's UNet as it stands now, as what finds the noise in a latent."""

    def noise(latent: Tensor, time: int) -> Tensor:
        times = torch.full((len(latent),), time)
        return backend.schedule.noise_of(backend.predict(latent, times, text), latent, time)

    return noise
