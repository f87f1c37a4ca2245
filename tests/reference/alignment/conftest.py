"""One small network and a few quick settings."""

from collections.abc import Callable

import pytest

from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.options import AlignmentOptions

QUICK = AlignmentOptions(steps=3, loss_size=32)


@pytest.fixture(scope="session")
def quick() -> AlignmentOptions:
    """Three steps, compared at 32 x 32 cells."""
    return QUICK


@pytest.fixture(scope="module")
def model(make_compact: Callable[..., PromptableModel]) -> PromptableModel:
    """A compact model with random weights at 64 pixels; left as it is by every test."""
    return make_compact(image_size=64)
