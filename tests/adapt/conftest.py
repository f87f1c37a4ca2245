"""Three families of small networks, and a few discs to learn."""

from collections.abc import Callable

import pytest

from kiridashi.adapt.options import AdaptOptions
from kiridashi.adapt.samples import Sample
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel

FAMILIES = ("tiny_compact", "tiny_sam2", "tiny_edgetam")


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> PromptableModel:
    """A model of each family with random weights; every test leaves it as it was."""
    model: PromptableModel = request.getfixturevalue(request.param)
    return model


@pytest.fixture
def discs(disc_site: Callable[..., Reference]) -> list[Sample]:
    """Four pictures of a disc."""
    sites = [disc_site(seed, size=(60, 80)) for seed in range(4)]
    return [Sample(site.picture, site.mask, "disc") for site in sites]


@pytest.fixture
def quick() -> Callable[..., AdaptOptions]:
    """Settings of a second: one epoch without copies."""

    def make(**fields: object) -> AdaptOptions:
        settings: dict[str, object] = {"epochs": 1, "most_copies": 0, "learning_rate": 0.01, "rank": 2}
        return AdaptOptions(**(settings | fields))  # type: ignore[arg-type]

    return make
