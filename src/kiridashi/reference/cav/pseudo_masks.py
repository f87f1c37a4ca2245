"""Pseudo masks: where the neck's features resemble the object of the references (CAV-SAM, final pass).

Masked average pooling, cosine and Otsu's threshold. Otsu parts every picture in two, whether the object is
there or not; a gate therefore refuses what no clear lump of alike places stands behind.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.geometry.otsu import otsu
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.models.pooling import cosine_map, masked_average
from kiridashi.models.promptable import PromptableModel, upscale

# The gate: how separable the two sides are, how alike the likest place is, and what share may be inside.
LEAST_SEPARABILITY = 0.3
LEAST_PEAK = 0.5
LEAST_COVERAGE, MOST_COVERAGE = 0.001, 0.9


class PseudoMasks:
    """Makes pseudo masks for one set of references with the neck that the model has at the moment.

    Args:
        model: whose neck's map of stride 16 is compared.
        references: at least one; their prototype is the mean of each one's.
    """

    def __init__(self, model: PromptableModel, references: Sequence[Reference]) -> None:
        self._model = model
        self.prototypes = torch.stack([prototype(model, one) for one in references])
        self._mean = F.normalize(self.prototypes, dim=1).mean(0)

    def mask(self, picture: Picture) -> Mask | None:
        """The pseudo mask of a picture; None when the gate refuses it."""
        likeness = cosine_map(_features(self._model, picture), self._mean)
        return _gated(likeness, picture.size)

    def nearest(self, picture: Picture) -> int:
        """Index of the reference whose object some place of a picture resembles most."""
        features = _features(self._model, picture)
        peaks = [float(cosine_map(features, one).max()) for one in self.prototypes]
        return max(range(len(peaks)), key=peaks.__getitem__)


def prototype(model: PromptableModel, reference: Reference) -> Tensor:
    """(C,) mean of the neck's features on the object."""
    features = _features(model, reference.picture)
    inside = torch.from_numpy(reference.mask.to_array()).float()[None, None]
    shares = F.interpolate(inside, size=features.shape[-2:], mode="area")[0, 0]
    return masked_average(features, shares)


def _features(model: PromptableModel, picture: Picture) -> Tensor:
    return model.encode(picture).levels[-1][0]


def _gated(likeness: Tensor, size: tuple[int, int]) -> Mask | None:
    """The places of a picture where an (h, w) map is above its threshold, if they can be believed."""
    values = likeness.numpy()
    threshold, separability = otsu(values)
    alike = float(values.max()) >= LEAST_PEAK
    if not alike or separability < LEAST_SEPARABILITY:
        return None
    mask = Mask.from_array(upscale(likeness, size).numpy() > threshold)
    return mask if LEAST_COVERAGE <= mask.coverage <= MOST_COVERAGE else None
