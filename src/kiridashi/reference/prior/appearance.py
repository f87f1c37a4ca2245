"""Local appearance fitted to the references: a small forest on filters and shallow trunk maps.

Surfaces and textures (scratches, stains, cracks) are told apart by what a few pixels look like,
which deep semantic features have averaged away.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from kiridashi.models.pooling import best_covered
from kiridashi.reference.prior.evidence import GRID, OUTSIDE_COVER, Example, FloatMap, View

TREES = 40
# Cells drawn inside and outside, at most: a picture's share shrinks as there are more pictures, so that
# thirty references fit as fast as five.
SAMPLES_A_PICTURE = 2000
SAMPLES = 6000
MIN_LEAF = 4


class AppearanceForest:
    """Object or not, for each cell, from its local appearance.

    Extremely randomised trees (Geurts et al., 2006): as good as a random forest on such features
    and several times faster to fit. Object and surroundings weigh the same whatever their sizes.

    Attributes:
        rows_: (N, L) float16 sampled cells; with the seed they determine the forest, so that they
            are its saved form.
        inside_: (N,) bool, whether each is on the object.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, examples: Sequence[Example]) -> Self:
        """Learn from references and negatives."""
        generator = np.random.default_rng(self.seed)
        most = max(1, min(SAMPLES_A_PICTURE, SAMPLES // len(examples)))
        parts = [_draw(example, most, generator) for example in examples]
        rows = np.concatenate([rows for rows, _ in parts]).astype(np.float16)
        return self.fit_rows(rows, np.concatenate([inside for _, inside in parts]))

    def fit_rows(self, rows: NDArray[np.float16], inside: NDArray[np.bool_]) -> Self:
        """Learn from sampled cells."""
        self.rows_, self.inside_ = rows, inside
        weights = np.where(inside, 0.5 / max(inside.sum(), 1), 0.5 / max((~inside).sum(), 1))
        self._trees = ExtraTreesClassifier(
            TREES, min_samples_leaf=MIN_LEAF, max_features="sqrt", random_state=self.seed, n_jobs=1
        )
        self._trees.fit(rows.astype(np.float32), inside, sample_weight=weights * len(rows))
        return self

    def predict(self, view: View) -> FloatMap:
        """(GRID, GRID) probability of the object."""
        known = list(self._trees.classes_)
        if True not in known:
            return np.zeros((GRID, GRID), dtype=np.float32)
        probability = self._trees.predict_proba(view.local)[:, known.index(True)]
        return np.asarray(probability, dtype=np.float32).reshape(GRID, GRID)


def _draw(
    example: Example, most: int, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A sample of a picture's cells, as many inside as outside where there are enough."""
    inner, outer = example.shares(GRID, GRID)
    groups = [
        torch.nonzero(cells.flatten())[:, 0].numpy() for cells in (best_covered(inner), outer > OUTSIDE_COVER)
    ]
    chosen = [generator.choice(cells, min(len(cells), most), replace=False) for cells in groups]
    labels = np.concatenate([np.ones(len(chosen[0]), dtype=bool), np.zeros(len(chosen[1]), dtype=bool)])
    return example.view.local[np.concatenate(chosen)], labels
