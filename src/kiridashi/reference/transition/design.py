"""What the compact diffusion model is, in one record that its file carries beside the weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kiridashi.core.errors import InputError, UsageError

if TYPE_CHECKING:
    from diffusers import DDIMScheduler, UNet2DModel

RGB = 3


@dataclass(frozen=True)
class Design:
    """An unconditional model of RGB pictures that predicts the noise.

    Every `fold` x `fold` pixels become one place of `3 * fold**2` channels: a mere permutation, so the
    diffusion is one of pixels, but the first and dearest level of the network has a quarter of the places.

    Attributes:
        side: of the square pictures in pixels.
        fold: pixels a place, along one side.
        channels: of the UNet's levels; attention stands at the last one and in the middle.
        layers: residual blocks a level.
        head: channels of an attention head.
        groups: of the group normalisation.
        steps: of the diffusion.
        beta_start: the first step's beta; scaled linearly (in the square root) as in Stable Diffusion.
        beta_end: the last step's.
    """

    side: int = 64
    fold: int = 2
    channels: tuple[int, ...] = (48, 80, 112)
    layers: int = 1
    head: int = 28
    groups: int = 8
    steps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012

    @property
    def latent(self) -> tuple[int, int, int]:
        """(channels, height, width) of what the UNet takes."""
        places = self.side // self.fold
        return RGB * self.fold**2, places, places


def shipped_folder() -> Path:
    """Where the package keeps compact.safetensors and compact.json."""
    return Path(__file__).parent / "weights"


def design_from_json(text: str) -> tuple[Design, dict[str, Any]]:
    """The design that `design_to_json` wrote, and the facts beside it.

    Raises:
        InputError: no JSON object, or not one of a design.
    """
    try:
        facts: dict[str, Any] = json.loads(text)
        raw = facts.pop("design")
        return Design(**{**raw, "channels": tuple(raw["channels"])}), facts
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"not the description of a compact diffusion model ({error}); install kiridashi again"
        ) from error


def design_to_json(design: Design, **facts: Any) -> str:
    """The design and what else is to be known of the weights, as one JSON document."""
    return json.dumps({"design": asdict(design), **facts}, indent=1) + "\n"


def make_unet(design: Design | None = None, seed: int = 0) -> "UNet2DModel":
    """A UNet with fresh weights, in eval mode; equal seeds give equal weights.

    It takes (B, *design.latent) float32 and timesteps (B,), and gives the noise in `.sample`.

    Raises:
        UsageError: diffusers is not installed.
    """
    require_diffusers()
    from diffusers import UNet2DModel

    design = design or Design()
    channels, side, _ = design.latent
    plain = len(design.channels) - 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet2DModel(
            sample_size=side,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=design.layers,
            block_out_channels=design.channels,
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",),
            up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * plain,
            attention_head_dim=design.head,
            norm_num_groups=design.groups,
        )
    return unet.eval()


def make_scheduler(design: Design | None = None) -> "DDIMScheduler":
    """The noise schedule of a design.

    Raises:
        UsageError: diffusers is not installed.
    """
    require_diffusers()
    from diffusers import DDIMScheduler

    design = design or Design()
    return DDIMScheduler(
        num_train_timesteps=design.steps,
        beta_start=design.beta_start,
        beta_end=design.beta_end,
        beta_schedule="scaled_linear",
        prediction_type="epsilon",
        clip_sample=False,
    )


def require_diffusers() -> None:
    """See that diffusers and peft are there.

    Raises:
        UsageError: one of them is missing; the text says what to install.
    """
    try:
        import diffusers  # noqa: F401
        import peft  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f'diffusion-made frames need {error.name}; install it with: pip install "kiridashi[diffusion]"'
        ) from error
