"""Settings of the diffusion-made transition, with the published ones as a preset."""

import math
from dataclasses import asdict, dataclass
from types import MappingProxyType

from kiridashi.core.errors import UsageError

COMPACT = "compact"
MOST_FRAMES, MOST_STEPS, MOST_LORA_STEPS, MOST_RANK, MOST_BATCH = 64, 1000, 100_000, 512, 256


def _check_count(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"{name} must be in {least}..{most}, got {value}")


@dataclass(frozen=True)
class TransitionOptions:
    """How DBST makes its frames; the defaults are those of CAV-SAM (9 frames, alpha 0.2 to 0.8).

    Attributes:
        frames: between the two pictures, 1..64.
        alpha_min: place of the first frame on the way from the reference (0) to the target (1).
        alpha_max: place of the last frame, at least `alpha_min`.
        steps: of DDIM for the inversion, and as many for the denoising; 1..1000.
        rank: of each picture's LoRA, 1..512.
        lora_steps: of its training; 0 leaves the LoRA out.
        lora_batch: noisy copies of the picture a training step, 1..256.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        adain: give the interpolated noise the interpolated mean and spread of each channel.
        seed: of LoRA's start, timesteps and noise; nothing else is random.
        backend: "compact" (shipped), the hub id of a Stable Diffusion 1 or 2 model, or its folder.

    Raises:
        UsageError: a value out of its range.
    """

    frames: int = 9
    alpha_min: float = 0.2
    alpha_max: float = 0.8
    steps: int = 20
    rank: int = 16
    lora_steps: int = 200
    lora_batch: int = 1
    learning_rate: float = 2e-4
    weight_decay: float = 1e-2
    adain: bool = True
    seed: int = 0
    backend: str = COMPACT

    def __post_init__(self) -> None:
        _check_count("frames", self.frames, 1, MOST_FRAMES)
        _check_count("steps", self.steps, 1, MOST_STEPS)
        _check_count("rank", self.rank, 1, MOST_RANK)
        _check_count("lora_steps", self.lora_steps, 0, MOST_LORA_STEPS)
        _check_count("lora_batch", self.lora_batch, 1, MOST_BATCH)
        _check_count("seed", self.seed, 0, 2**31 - 1)
        if not 0 <= self.alpha_min <= self.alpha_max <= 1:
            raise UsageError(
                f"alpha_min and alpha_max must lie in 0..1, in this order; got {self.alpha_min} "
                f"and {self.alpha_max}"
            )
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UsageError(f"learning_rate must be above 0, got {self.learning_rate}; 2e-4 is usual")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise UsageError(f"weight_decay must be at least 0, got {self.weight_decay}; 1e-2 is usual")
        if not self.backend:
            raise UsageError('backend is empty; give "compact", a hub id or a folder')

    def alphas(self) -> tuple[float, ...]:
        """The places of the frames, even from `alpha_min` to `alpha_max`; one frame stands in the middle."""
        if self.frames == 1:
            return ((self.alpha_min + self.alpha_max) / 2,)
        places = (number / (self.frames - 1) for number in range(self.frames))
        return tuple((1 - place) * self.alpha_min + place * self.alpha_max for place in places)

    def to_dict(self) -> dict[str, object]:
        """Every setting by name, as JSON values."""
        return asdict(self)


PRESETS = MappingProxyType(
    {
        "paper": TransitionOptions(),
        "balanced": TransitionOptions(frames=7, lora_steps=200, lora_batch=2, learning_rate=1e-3),
        "fast": TransitionOptions(frames=5, steps=12, lora_steps=120, learning_rate=1e-3),
    }
)


def preset(name: str) -> TransitionOptions:
    """The options of a preset: `paper`, `balanced` or `fast`.

    `fast` takes well under 30 s a pair with the compact back-end on two cores.

    Raises:
        UsageError: no preset of this name.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset named {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]
