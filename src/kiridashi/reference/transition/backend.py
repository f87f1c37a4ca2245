"""What DBST asks of a diffusion model."""

from typing import Protocol

from torch import Tensor, nn

from kiridashi.core.picture import Picture
from kiridashi.reference.transition.diffusion import Schedule

# Ends of the names of diffusers' attention projections, which CAV-SAM adapts.
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


class Backend(Protocol):
    """A diffusion model of pictures. Tensors go in and come out on the CPU, wherever the network is."""

    @property
    def name(self) -> str:
        """For messages: "compact", a hub id or a folder."""
        ...

    @property
    def digest(self) -> str:
        """Of everything that decides what the model gives; kept LoRAs are known by it."""
        ...

    @property
    def unet(self) -> nn.Module:
        """The network; between calls it is as it was loaded."""
        ...

    @property
    def schedule(self) -> Schedule:
        """Of its diffusion."""
        ...

    @property
    def lora_targets(self) -> tuple[str, ...]:
        """Ends of the names of the layers that get a LoRA."""
        ...

    @property
    def threads(self) -> int | None:
        """More threads than this make it slower; None: it gains by each."""
        ...

    def to_latent(self, picture: Picture) -> Tensor:
        """(1, C, H, W) float32 of a picture squeezed to the model's square."""
        ...

    def to_picture(self, latent: Tensor) -> Picture:
        """The square picture of a (1, C, H, W) latent."""
        ...

    def text(self, label: str) -> Tensor | None:
        """(1, N, D) embedding of a label, "" included; None for a model that takes no text."""
        ...

    def predict(self, latent: Tensor, times: Tensor, text: Tensor | None) -> Tensor:
        """What the UNet predicts, unconverted.

        Args:
            latent: (B, C, H, W).
            times: (B,) timesteps.
            text: (1, N, D) or None.

        Returns:
            (B, C, H, W).
        """
        ...
