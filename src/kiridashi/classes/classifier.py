"""A cosine classifier whose rows come and go one by one.

The last layer of SAM-IF: the cosine of an embedding with one row a class, times a scale, and an output for
the background. A class is added as iMTFA does (Ganea et al., "Incremental Few-Shot Instance Segmentation",
2021, arXiv 2105.05312, section 3.3): its row is the normalised mean of its normalised shots; every other row
stays as it is, bit for bit.
"""

from collections.abc import Mapping
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.errors import InputError, UsageError

Embeddings = Tensor | NDArray[np.float32]

# iMTFA's scale; the likelihood of held-aside training objects has its optimum between 15 and 20 here.
SCALE = 20.0
# Less alike than this to every class and to every background sample is background. Chosen on training
# photographs: without background samples and with five shots, it refuses 0.60 of what is no object of five
# classes for 0.01 of the objects.
FLOOR = 0.25
# Fewer background samples stay as they are: a look-alike must not be averaged away.
MOST_PROTOTYPES = 32
FIRST_CAPACITY = 16
REFINING_RATE = 0.01


class CosineClassifier:
    """Class rows, background prototypes and a scale; never changes, every change gives a new one.

    The rows of successive classifiers share one buffer that doubles when it is full, so that the thousandth
    class costs what the tenth did.

    Args:
        width: D, the length of an embedding.
        scale: of the cosines in the softmax, above 0.
        floor: least cosine of the background, -1..1: what resembles nothing known is background.

    Attributes:
        width: D.
        scale: as given.
        floor: as given.
        background: (P, D) prototypes of the background, unit length; do not write into it.

    Raises:
        UsageError: an argument out of its range.
    """

    def __init__(self, width: int, *, scale: float = SCALE, floor: float = FLOOR) -> None:
        if width < 1 or not scale > 0 or not -1 <= floor <= 1:
            raise UsageError(
                f"a classifier takes a width from 1 on, a scale above 0 and a floor in -1..1, got {width}, "
                f"{scale} and {floor}"
            )
        self.width, self.scale, self.floor = width, scale, floor
        self.background = torch.empty(0, width)
        self._buffer, self._count = _Buffer(torch.empty(FIRST_CAPACITY, width)), 0

    @classmethod
    def of(
        cls, classes: Mapping[str, Embeddings], background: Embeddings | None = None
    ) -> "CosineClassifier":
        """A classifier of (K, D) shots by class name, K as they are, and (M, D) background samples.

        Raises:
            UsageError: no class and no background sample.
            InputError: a class without shots, or embeddings of different widths.
        """
        samples = [*classes.values(), *([] if background is None else [background])]
        if not samples:
            raise UsageError("a classifier of nothing has no width; say CosineClassifier(width) instead")
        made = cls(int(samples[0].shape[-1]))
        for name, shots in classes.items():
            made = made.with_class(name, shots)
        return made if background is None else made.with_background(background)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, name: object) -> bool:
        return self._buffer.index.get(name, self._count) < self._count

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of their addition."""
        return tuple(self._buffer.names[: self._count])

    @property
    def some_names(self) -> str:
        """The first few names, for a message."""
        return ", ".join(self.names[:8]) + (" ..." if self._count > 8 else "") or "none yet"

    @property
    def rows(self) -> Tensor:
        """(C, D) unit rows in the order of `names`; do not write into it."""
        return self._buffer.rows[: self._count]

    def row(self, name: str) -> Tensor:
        """(D,) unit row of a class.

        Raises:
            UsageError: no such class.
        """
        return self._buffer.rows[self._find(name)].clone()

    def with_class(self, name: str, shots: Embeddings) -> "CosineClassifier":
        """With one class more.

        Args:
            name: of the class.
            shots: (K, D) embeddings, K from 1 on.

        Raises:
            UsageError: there is such a class already.
            InputError: no shots, shots of another width, or a shot that is zero or not finite.
        """
        if name in self:
            raise UsageError(
                f"there is a class {name!r} already; give the new one another name, or remove the old one"
            )
        row = self._mean(name, shots)
        return self._successor(*self._buffer.appended(self._count, name, row))

    def with_shots(self, name: str, shots: Embeddings) -> "CosineClassifier":
        """With the row of a class made anew from all its (K, D) shots.

        Raises:
            UsageError: no such class.
            InputError: as for `with_class`.
        """
        return self._with_row(self._find(name), self._mean(name, shots))

    def without(self, name: str) -> "CosineClassifier":
        """With one class less.

        Raises:
            UsageError: no such class.
        """
        gone = self._find(name)
        names = [*self.names[:gone], *self.names[gone + 1 :]]
        rows = torch.cat([self.rows[:gone], self.rows[gone + 1 :]])
        return self._successor(_Buffer(rows, names), self._count - 1)

    def with_background(self, samples: Embeddings) -> "CosineClassifier":
        """With another background.

        Args:
            samples: (M, D) embeddings of what is no object of any class, all of them; none: no background
                but the floor. Many are summed up as 32 prototypes by k-means, since background is not one
                cluster.

        Raises:
            InputError: samples of another width, or one that is zero or not finite.
        """
        made = self._successor(self._buffer, self._count)
        made.background = _prototypes(self._unit("the background", samples))
        return made

    @torch.no_grad()
    def cosines(self, embeddings: Embeddings) -> Tensor:
        """(N, C + 1) cosines of (N, D) embeddings with each class, and with the background last.

        The background's is that of the nearest prototype, and never below the floor.

        Raises:
            InputError: embeddings of another width, or one that is zero or not finite.
        """
        unit = self._unit("what is to be classified", embeddings)
        return torch.cat([unit @ self.rows.T, self._background_cosines(unit)], dim=1)

    def scores(self, embeddings: Embeddings) -> tuple[tuple[str, ...], Tensor]:
        """Class names, and (N, C + 1) probabilities of (N, D) embeddings; the last column is the background.

        The softmax of the scaled cosines.

        Raises:
            InputError: as for `cosines`.
        """
        return self.names, (self.scale * self.cosines(embeddings)).softmax(dim=1)

    def refined(
        self, name: str, shots: Embeddings, negatives: Embeddings | None = None, steps: int = 50
    ) -> "CosineClassifier":
        """With the row of one class moved by a few gradient steps.

        Maximises the likelihood that the shots are of the class and that the negatives are not, with all
        other rows as they are. For a class with look-alikes that its mean cannot be told from: of classes
        without any it finds fewer (0.73 instead of 0.79 of training objects from five shots, for 0.01 more
        of the others).

        Args:
            name: of the class.
            shots: (K, D) embeddings of it.
            negatives: (M, D) embeddings of other classes and look-alikes; None: the other rows and the
                background.
            steps: of Adam.

        Raises:
            UsageError: no such class, or a negative number of steps.
            InputError: as for `with_class`.
        """
        place = self._find(name)
        if steps < 0:
            raise UsageError(f"a row is refined in 0 steps or more, got {steps}")
        inside = self._shots(name, shots)
        others = torch.cat([self.rows[:place], self.rows[place + 1 :]])
        if negatives is None:
            outside = torch.cat([others, self.background])
        else:
            outside = self._unit("the negatives", negatives)
        row = self._refine(self.rows[place], others, inside, outside, steps)
        return self._with_row(place, row)

    def _refine(self, row: Tensor, others: Tensor, inside: Tensor, outside: Tensor, steps: int) -> Tensor:
        # Tensors made in inference mode know no gradients.
        with torch.inference_mode(False), torch.enable_grad():
            both = torch.cat([inside, outside])
            rivals = torch.cat([both @ others.T, self._background_cosines(both)], dim=1)
            # All that speaks against the class, which stays the same while its row moves.
            against = (self.scale * rivals).logsumexp(dim=1)
            # One side counts as much as the other, whatever their numbers.
            sign = torch.cat([torch.ones(len(inside)), -torch.ones(len(outside))])
            weight = torch.cat([torch.ones(len(n)) / max(len(n), 1) for n in (inside, outside)])
            moving = row.clone().requires_grad_(True)
            optimiser = torch.optim.Adam([moving], lr=REFINING_RATE)
            for _ in range(steps):
                optimiser.zero_grad()
                lead = self.scale * (both @ F.normalize(moving, dim=0)) - against
                (weight * F.softplus(-sign * lead)).sum().backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        return F.normalize(moving.detach(), dim=0)

    def _background_cosines(self, unit: Tensor) -> Tensor:
        floor = torch.full((len(unit), 1), self.floor)
        return torch.cat([floor, unit @ self.background.T], dim=1).amax(dim=1, keepdim=True)

    def _find(self, name: str) -> int:
        if name not in self:
            raise UsageError(f"no class named {name!r}; known: {self.some_names}")
        return self._buffer.index[name]

    def _with_row(self, place: int, row: Tensor) -> "CosineClassifier":
        rows = self.rows.clone()
        rows[place] = row
        return self._successor(_Buffer(rows, list(self.names)), self._count)

    def _successor(self, buffer: "_Buffer", count: int) -> "CosineClassifier":
        made = CosineClassifier.__new__(CosineClassifier)
        made.width, made.scale, made.floor = self.width, self.scale, self.floor
        made.background, made._buffer, made._count = self.background, buffer, count
        return made

    def _mean(self, name: str, shots: Embeddings) -> Tensor:
        row = self._shots(name, shots).mean(dim=0)
        if not row.any():
            raise InputError(f"{name}: the shots cancel each other out; check that their masks are right")
        return F.normalize(row, dim=0)

    def _shots(self, name: str, shots: Embeddings) -> Tensor:
        unit = self._unit(name, shots)
        if not len(unit):
            raise InputError(f"{name}: a class needs at least one shot; give a picture with its mask")
        return unit

    def _unit(self, what: str, embeddings: Embeddings) -> Tensor:
        """(N, D) float32 of unit length, checked."""
        # A copy: torch warns of arrays that may only be read, as a registry's are.
        held = embeddings if isinstance(embeddings, Tensor) else np.array(embeddings, np.float32)
        given = torch.as_tensor(held, dtype=torch.float32)
        if given.ndim != 2 or given.shape[1] != self.width:
            raise InputError(
                f"{what}: expected embeddings (N, {self.width}), got {tuple(given.shape)}; all must come "
                "from one model, `kiridashi classes rebuild` makes them anew"
            )
        if not given.isfinite().all() or not given.any(dim=1).all():
            raise InputError(f"{what}: an embedding is zero or not finite; check the picture and its mask")
        return F.normalize(given, dim=1)


class _Buffer:
    """Rows and names that several classifiers share: each reads only the first ones, its own.

    Args:
        rows: (capacity, D); the first len(names) are in use.
        names: of the rows in use.
    """

    def __init__(self, rows: Tensor, names: list[str] | None = None) -> None:
        self.rows, self.names = rows, names or []
        self.index: dict[object, int] = {name: place for place, name in enumerate(self.names)}
        self._lock = Lock()

    def appended(self, count: int, name: str, row: Tensor) -> tuple["_Buffer", int]:
        """A buffer whose first `count` rows are these and whose next is the new one, and its count.

        The same buffer where nobody else has appended to these rows and there is room, else a larger copy.
        """
        with self._lock:
            if len(self.names) > count or count == len(self.rows):
                capacity = max(2 * count, FIRST_CAPACITY)
                rows = torch.cat([self.rows[:count], torch.empty(capacity - count, self.rows.shape[1])])
                return _Buffer(rows, self.names[:count]).appended(count, name, row)
            self.rows[count] = row
            self.names.append(name)
            self.index[name] = count
            return self, count + 1


def _prototypes(unit: Tensor) -> Tensor:
    """(P, D) unit prototypes of (M, D) unit samples: the samples themselves when they are few."""
    if len(unit) <= MOST_PROTOTYPES:
        return unit.clone()
    from sklearn.cluster import KMeans

    means = KMeans(MOST_PROTOTYPES, n_init=1, random_state=0).fit(unit.numpy()).cluster_centers_
    return F.normalize(torch.from_numpy(means).float(), dim=1)
