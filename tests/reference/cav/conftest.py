"""Small networks, and options that make every part of the method run in a moment."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.options import AlignmentOptions
from kiridashi.reference.cav import CavOptions
from kiridashi.reference.transition.options import TransitionOptions

QUICK = CavOptions(
    transition=TransitionOptions(frames=2, steps=2, rank=2, lora_steps=2),
    alignment=AlignmentOptions(steps=2, loss_size=32, copies=2),
    margin=0.05,
)


@pytest.fixture(scope="session")
def quick() -> Callable[..., CavOptions]:
    """`quick("none", "ttga", margin=0.1)`: these bridges with two frames and two steps of tuning."""

    def make(*bridges: str, **changes: object) -> CavOptions:
        return replace(QUICK, bridges=bridges, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def model(make_sam2: Callable[..., PromptableModel]) -> PromptableModel:
    """A small SAM 2 with random weights at 64 pixels; do not change its weights."""
    return make_sam2(image_size=64)
