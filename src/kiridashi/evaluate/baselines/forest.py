"""Trainable segmentation as in scikit-image's gallery: a random forest on multiscale pixel filters."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments

BACKGROUND, OBJECT = 1, 2


class RandomForestPixels:
    """A random forest on the multiscale features of every pixel of the references.

    Forest and scales are those of scikit-image's gallery example "Trainable segmentation using local
    features and random forests". The gallery leaves the edge filters out; here all three kinds of
    features are on, as they are by default in `multiscale_basic_features`.

    Args:
        seed: of the forest.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        """Train on every pixel of the references, and of negatives that hold no object anywhere."""
        from skimage.future import fit_segmenter
        from sklearn.ensemble import RandomForestClassifier

        if not references:
            raise UsageError("fit needs at least one reference")
        bare = [negative.picture for negative in negatives if negative.mask is None]
        features = [pixel_features(picture) for picture in (*(one.picture for one in references), *bare)]
        labels = [np.where(reference.mask.to_array(), OBJECT, BACKGROUND) for reference in references]
        labels += [np.full(picture.size, BACKGROUND) for picture in bare]
        forest = RandomForestClassifier(
            n_estimators=50, max_depth=10, max_samples=0.05, n_jobs=1, random_state=self.seed
        )
        self.forest_: Any = fit_segmenter(
            np.concatenate([part.ravel() for part in labels]),
            np.concatenate([part.reshape(-1, part.shape[-1]) for part in features]),
            forest,
        )
        return self

    def predict(self, picture: Picture) -> Segments:
        """All pixels that the forest takes for the object, as one segment; none when there are none."""
        from skimage.future import predict_segmenter

        if not hasattr(self, "forest_"):
            raise UsageError("predict before fit: call fit(references) first")
        labels = predict_segmenter(pixel_features(picture), self.forest_)
        mask = Mask.from_array(labels == OBJECT)
        return Segments(picture.size, () if mask.is_empty else (Segment(mask, 1.0, "object"),))


def pixel_features(picture: Picture) -> NDArray[np.float32]:
    """(H, W, F) intensity, edge and texture filters at scales of 1 to 16 pixels, by channel."""
    from skimage.feature import multiscale_basic_features

    features: NDArray[np.float32] = multiscale_basic_features(
        picture.pixels,
        intensity=True,
        edges=True,
        texture=True,
        sigma_min=1,
        sigma_max=16,
        channel_axis=-1,
    )
    return features
