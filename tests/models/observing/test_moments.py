import numpy as np
import pytest
import torch

from kiridashi.models.observing import Moments


def maps() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(4, 4, generator=generator)
    made = (torch.randn(4, side, 3, generator=generator) for side in (2, 5, 7))
    return [torch.einsum("ij,jhw->ihw", mixing, each) + 3 for each in made]


def test_streamed_moments_are_those_of_all_places() -> None:
    moments = Moments()
    for each in maps():
        moments.add(each)
    places = torch.cat([each.flatten(1) for each in maps()], dim=1).numpy()
    assert moments.count == places.shape[1]
    np.testing.assert_allclose(moments.mean.numpy(), places.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(moments.covariance.numpy(), np.cov(places, bias=True), rtol=1e-4)


def test_components_are_uncorrelated_and_in_order() -> None:
    moments = Moments()
    for each in maps():
        moments.add(each)
    components = moments.components(3)
    projected = torch.cat([components.project(each).flatten(1) for each in maps()], dim=1)
    np.testing.assert_allclose(np.cov(projected.numpy(), bias=True), np.eye(3), atol=1e-3)
    assert (components.deviations.diff() <= 0).all()
    assert torch.allclose(components.axes.norm(dim=1), torch.ones(3, dtype=torch.float64))


def test_before_the_first_map_there_is_nothing() -> None:
    with pytest.raises(ValueError, match="no map"):
        _ = Moments().mean


def test_another_number_of_channels_is_refused() -> None:
    moments = Moments()
    moments.add(torch.zeros(3, 2, 2))
    with pytest.raises(ValueError, match="3 channels, got 2"):
        moments.add(torch.zeros(2, 2, 2))
