from collections.abc import Callable

import numpy as np

from kiridashi.adapt.samples import Sample
from kiridashi.cli.adapt_priors import cross_fitted
from kiridashi.core.reference import Reference
from kiridashi.models.loading import load_model


def test_each_prior_is_of_the_others(disc_site: Callable[..., Reference]) -> None:
    """Found on red discs; a class of one sample has none; and a sample's own mask has no say."""
    sites = [disc_site(seed) for seed in range(3)]
    samples = [Sample(site.picture, site.mask, "disc") for site in sites]
    alone = Sample(sites[0].picture, sites[1].mask, "other")
    priors = cross_fitted(load_model(), [*samples, alone], 0)
    assert priors[3] is None
    for prior, sample in zip(priors, samples, strict=False):
        assert prior is not None
        rows, columns = np.nonzero(sample.mask.to_array())
        inside = prior[rows * prior.shape[0] // 120, columns * prior.shape[1] // 160]
        assert inside.mean() > 2 * prior.mean()
    wrong = [Sample(samples[0].picture, sites[1].mask, "disc"), *samples[1:]]
    again = cross_fitted(load_model(), wrong, 0)
    assert again[0] is not None
    assert priors[0] is not None
    np.testing.assert_array_equal(again[0], priors[0])
