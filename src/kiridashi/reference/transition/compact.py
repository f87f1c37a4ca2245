"""The compact back-end: the package's own small diffusion model of 64-pixel pictures, without text."""

import hashlib
from functools import cached_property, lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.errors import InputError, ModelUnavailableError
from kiridashi.core.picture import Picture
from kiridashi.reference.transition.backend import ATTENTION
from kiridashi.reference.transition.design import (
    Design,
    design_from_json,
    make_scheduler,
    make_unet,
    shipped_folder,
)
from kiridashi.reference.transition.diffusion import Schedule
from kiridashi.reference.transition.options import COMPACT

WEIGHTS, DESCRIPTION = "compact.safetensors", "compact.json"


class CompactBackend:
    """See `kiridashi.reference.transition.backend.Backend`.

    Args:
        unet: of `make_unet`; None: the shipped one.
        design: of the UNet.
    """

    name = COMPACT
    # Two threads take 2.4 times as long as one for the LoRA of a picture: they wait for each other.
    threads = 1
    lora_targets = (*ATTENTION, "conv1", "conv2", "conv_shortcut", "conv", "conv_in", "conv_out")

    def __init__(self, unet: Any = None, design: Design | None = None) -> None:
        self.design = design or Design()
        self.unet: Any = unet if unet is not None else make_unet(self.design)
        self.unet.eval().requires_grad_(False)
        self.schedule = Schedule(make_scheduler(self.design).alphas_cumprod.double())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over design and weights."""
        found = hashlib.sha256(repr(self.design).encode())
        for name, value in sorted(self.unet.state_dict().items()):
            found.update(name.encode() + value.contiguous().numpy().tobytes())
        return found.hexdigest()

    def to_latent(self, picture: Picture) -> Tensor:
        """(1, 3 * fold**2, side / fold, side / fold), values in -1..1."""
        pixels = torch.from_numpy(squeezed(picture.pixels, self.design.side))
        folded = F.pixel_unshuffle(pixels.permute(2, 0, 1)[None].float() / 127.5 - 1, self.design.fold)
        return folded.contiguous()

    def to_picture(self, latent: Tensor) -> Picture:
        """The square picture; values beyond -1..1 are cut off."""
        pixels = (F.pixel_shuffle(latent, self.design.fold)[0] + 1) * 127.5
        return Picture(pixels.round().clamp(0, 255).byte().permute(1, 2, 0).numpy(), "frame")

    def text(self, label: str) -> None:  # noqa: ARG002
        """None: the model knows no words."""
        return

    def predict(self, latent: Tensor, times: Tensor, text: Tensor | None) -> Tensor:  # noqa: ARG002
        """The noise."""
        found: Tensor = self.unet(latent, times).sample
        return found


def squeezed(pixels: np.ndarray[Any, np.dtype[np.uint8]], side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(side, side, 3) of (H, W, 3): the whole picture, its aspect changed."""
    shrinks = min(pixels.shape[:2]) >= side
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    result: np.ndarray[Any, np.dtype[np.uint8]] = cv2.resize(pixels, (side, side), interpolation=way)
    return result


@lru_cache(maxsize=1)
def load_compact() -> CompactBackend:
    """The shipped model; loaded once a process.

    Raises:
        ModelUnavailableError: its files are not in this installation.
        InputError: they are damaged.
        UsageError: diffusers or peft is not installed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    folder = shipped_folder()
    try:
        content = (folder / WEIGHTS).read_bytes()
        text = (folder / DESCRIPTION).read_text(encoding="utf-8")
    except OSError as error:
        raise ModelUnavailableError(
            "the compact diffusion model is not in this installation\n"
            "install kiridashi again, or give a Stable Diffusion model of your own (a hub id or a folder)"
        ) from error
    design, facts = design_from_json(text)
    if hashlib.sha256(content).hexdigest() != facts.get("sha256"):
        raise InputError(f"{WEIGHTS}: not the file that {DESCRIPTION} describes; install kiridashi again")
    unet = make_unet(design)
    try:
        unet.load_state_dict({name: value.float() for name, value in load(content).items()})
    except (SafetensorError, RuntimeError) as error:
        raise InputError(f"{WEIGHTS}: damaged; install kiridashi again ({str(error)[:200]})") from error
    return CompactBackend(unet, design)
