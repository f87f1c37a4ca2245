from collections.abc import Callable

import torch

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.models.loading import load_model
from kiridashi.models.pooling import mask_share
from kiridashi.reference.prior.evidence import Example, look
from kiridashi.reference.prior.similarity import CHANNELS_A_LEVEL, LEVELS, compare, remember


def test_the_reference_finds_itself(disc_site: Callable[..., Reference]) -> None:
    reference = disc_site(1, discs=2)
    view = look(load_model(), reference.picture)
    for level in LEVELS:
        channels = compare(view, remember([Example(view, reference.mask)], level), level)
        height, width = view.trunk[level].shape[-2:]
        assert channels.shape == (CHANNELS_A_LEVEL, height, width)
        share = mask_share(reference.mask, height, width)
        contrast = channels[0]
        assert contrast[share > 0.5].mean() > contrast[share < 0.1].mean()
        assert channels[2].abs().max() <= 1 + 1e-5


def test_masked_average_pooling_is_the_published_formula(disc_site: Callable[..., Reference]) -> None:
    """p = sum F M / sum M with F of unit length: papers' section on prototypes."""
    reference = disc_site(2)
    view = look(load_model(), reference.picture)
    memory = remember([Example(view, reference.mask)], 2)
    features = torch.nn.functional.normalize(view.trunk[2], dim=0)
    share = mask_share(reference.mask, *features.shape[-2:])
    pooled = (features * share).sum((1, 2)) / share.sum()
    assert torch.allclose(memory.foreground, pooled / pooled.norm(), atol=1e-5)


def test_a_negative_pulls_its_places_to_the_background(
    disc_site: Callable[..., Reference], bare_site: Callable[..., Picture]
) -> None:
    reference, bare = disc_site(3), bare_site(4)
    model = load_model()
    view, other = look(model, reference.picture), look(model, bare)
    alone = compare(other, remember([Example(view, reference.mask)], 2), 2)
    warned = compare(other, remember([Example(view, reference.mask), Example(other, None)], 2), 2)
    assert warned[3].mean() < alone[3].mean()


def test_an_object_that_fills_the_picture_leaves_no_outside(
    disc_site: Callable[..., Reference],
) -> None:

    picture = disc_site(5).picture
    view = look(load_model(), picture)
    everything = Mask.from_array(torch.ones(picture.size).numpy())
    channels = compare(view, remember([Example(view, everything)], 3), 3)
    assert torch.isfinite(channels).all()
