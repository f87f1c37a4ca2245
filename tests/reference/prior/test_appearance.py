from collections.abc import Callable

import numpy as np

from kiridashi.core.reference import Reference
from kiridashi.models.loading import load_model
from kiridashi.models.pooling import mask_share
from kiridashi.reference.prior.appearance import AppearanceForest
from kiridashi.reference.prior.evidence import GRID, Example, look


def test_colour_that_differs_is_learned(disc_site: Callable[..., Reference]) -> None:
    model = load_model()
    reference, target = disc_site(0), disc_site(9, discs=3)
    forest = AppearanceForest().fit([Example(look(model, reference.picture), reference.mask)])
    probability = forest.predict(look(model, target.picture))
    share = mask_share(target.mask, GRID, GRID).numpy()
    assert probability[share > 0.99].mean() > 0.8
    assert probability[share < 0.01].mean() < 0.2


def test_rows_alone_rebuild_the_forest(disc_site: Callable[..., Reference]) -> None:
    model = load_model()
    reference = disc_site(1)
    view = look(model, reference.picture)
    forest = AppearanceForest(seed=3).fit([Example(view, reference.mask)])
    again = AppearanceForest(seed=3).fit_rows(forest.rows_, forest.inside_)
    assert np.array_equal(forest.predict(view), again.predict(view))
