"""Mean and covariance of a stage's places, streamed: nothing of a frame is kept."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Components:
    """The directions in which the places of a stage differ most.

    Attributes:
        mean: (C,).
        axes: (K, C) unit vectors, the strongest first.
        deviations: (K,) standard deviation along each.
    """

    mean: Tensor
    axes: Tensor
    deviations: Tensor

    def project(self, values: Tensor) -> Tensor:
        """(K, h, w) of a (C, h, w) map, in deviations."""
        flat = self.axes @ (values.flatten(1).double() - self.mean[:, None])
        scaled = flat / self.deviations.clamp(min=1e-12)[:, None]
        return scaled.reshape(len(self.axes), *values.shape[1:]).float()


class Moments:
    """Streamed mean and covariance in float64.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
    1979.

    Attributes:
        count: places seen so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._scatter: Tensor | None = None

    def add(self, values: Tensor) -> None:
        """Take in the places of a (C, h, w) map.

        Raises:
            ValueError: it has another number of channels than those before.
        """
        rows = values.flatten(1).T.double()
        count, mean = len(rows), rows.mean(0)
        centred = rows - mean
        scatter = centred.T @ centred
        if self._mean is None or self._scatter is None:
            self.count, self._mean, self._scatter = count, mean, scatter
            return
        if mean.shape != self._mean.shape:
            raise ValueError(f"expected {len(self._mean)} channels, got {len(mean)}")
        total = self.count + count
        apart = mean - self._mean
        self._scatter += scatter + torch.outer(apart, apart) * (self.count * count / total)
        self._mean = self._mean + apart * (count / total)
        self.count = total

    @property
    def mean(self) -> Tensor:
        """(C,) mean of all places; ValueError before the first."""
        return self._known()[0]

    @property
    def covariance(self) -> Tensor:
        """(C, C) covariance of all places, divided by their number; ValueError before the first."""
        return self._known()[1] / self.count

    def components(self, count: int = 3) -> Components:
        """The strongest directions, at most as many as there are channels."""
        values, vectors = torch.linalg.eigh(self.covariance)
        axes = vectors.flip(1).T[:count]
        # An axis has no sign of its own: the largest part is made positive, so that colours do not flip.
        largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
        return Components(self.mean, axes * largest.sign(), values.flip(0)[:count].clamp(min=0).sqrt())

    def _known(self) -> tuple[Tensor, Tensor]:
        if self._mean is None or self._scatter is None:
            raise ValueError("no map was seen yet")
        return self._mean, self._scatter
