"""Pro2SAM from end to end: a coarse map, a gallery of masks, and for each region the mask that matches.

Xi et al., "Pro2SAM: Mask Prompt to SAM with Grid Points for Weakly Supervised Object Localization",
ECCV 2024.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError
from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.localize.choosing import Choice, Pool, choose, distinct, no_place
from kiridashi.localize.coarse import CoarseLocaliser, FloatMap, Look
from kiridashi.localize.gallery import Galleries
from kiridashi.localize.regions import Region, points_near, resize_map, scale, split_regions
from kiridashi.localize.settings import LocaliseSettings
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.sharpening import sharpen

METHOD = "pro2sam"
# Two regions whose masks overlap this much were led to the same object.
SAME_OBJECT = 0.7
INSIDE = 0.5


@dataclass(frozen=True, eq=False)
class Found:
    """What was found of one class in one picture.

    Attributes:
        label: the class.
        score: of the class, 0..1.
        map: (h, w) float32 in [0, 1], its coarse map, scaled as the settings say.
        choices: one for each region, that with most of the map first; at least one.
    """

    label: str
    score: float
    map: FloatMap
    choices: tuple[Choice, ...]

    def pixel_scores(self) -> FloatMap:
        """(H, W) float32 in [0, 1]: where the class is, pixel by pixel, for curves over all thresholds.

        The mean of the coarse map and the chosen masks: no pixel of a mask comes after one that only the map
        suspects, and within each the map has its say.
        """
        size = self.choices[0].mask.size
        inside = np.zeros(size, dtype=bool)
        for choice in self.choices:
            inside[choice.mask.slices] |= choice.mask.bitmap
        scores: FloatMap = ((np.clip(resize_map(self.map, size), 0, 1) + inside) / 2).astype(np.float32)
        return scores


@dataclass(frozen=True, eq=False)
class Localisation:
    """Everything that was seen and decided of one picture, stage by stage.

    Attributes:
        size: (height, width) of the picture.
        classes: names of all classes, in the order of the look's scores.
        look: what the network saw: scores and coarse maps.
        found: of each class that is judged present, the best score first; empty for a normal picture.
        verdict: whether any class is present, and the score and threshold that decided.
        candidates: number of masks in the gallery; None for a normal picture, of which none is made.
        provenance: how the result came about, for reports.
    """

    size: tuple[int, int]
    classes: tuple[str, ...]
    look: Look
    found: tuple[Found, ...]
    verdict: Verdict
    candidates: int | None = None
    provenance: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def scores(self) -> dict[str, float]:
        """The score of each class by its name, 0..1."""
        return {name: float(score) for name, score in zip(self.classes, self.look.scores, strict=True)}

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All choices, in the order of `segments`."""
        return tuple(choice for one in self.found for choice in one.choices)

    @property
    def segments(self) -> Segments:
        """The choices as segments, labelled with their class and scored with its score."""
        items = tuple(
            Segment(choice.mask, one.score, one.label) for one in self.found for choice in one.choices
        )
        return Segments(self.size, items, self.verdict, self.provenance)


class Localizer:
    """Finds masks for the classes of a network that was trained on labels of whole pictures.

    Args:
        model: draws the gallery; any of the catalogue.
        network: names the classes and says roughly where.
        settings: default: those of `LocaliseSettings`.
        thresholds: least score by class name, 0..1, at which the class is present; a picture in which none is
            is normal. None: every picture shows exactly one class, that with the best score.
        galleries: where the masks come from; default: made for each picture, the last few kept in memory.
            Must be of `model`; its grid then takes the place of the settings' own.

    Raises:
        UsageError: a threshold missing, of no class or outside 0..1; or galleries of another model.
    """

    def __init__(
        self,
        model: PromptableModel,
        network: CoarseLocaliser,
        settings: LocaliseSettings | None = None,
        *,
        thresholds: Mapping[str, float] | None = None,
        galleries: Galleries | None = None,
    ) -> None:
        self.model, self.network = model, network
        self.settings = settings or LocaliseSettings()
        self.galleries = galleries or Galleries(model, self.settings.grid)
        self.thresholds = None if thresholds is None else MappingProxyType(dict(thresholds))
        if self.galleries.model is not model:
            raise UsageError(
                "the galleries are of another model than the localiser; make them of the same one"
            )
        if self.thresholds is not None:
            _check_thresholds(self.thresholds, network.classes)

    def predict(self, picture: Picture) -> Localisation:
        """What is in a picture and where.

        Raises:
            UsageError: the model's mask decoder is not trained.
        """
        return self.decide(picture, self.network.look(picture))

    def decide(self, picture: Picture, look: Look) -> Localisation:
        """The masks that follow from a look at a picture.

        Args:
            picture: which.
            look: of the network, at this picture.

        Raises:
            UsageError: the model's mask decoder is not trained, or a look with another number of classes.
        """
        present, verdict = self.judge(look)
        provenance = MappingProxyType(self._provenance())
        if not present:
            return Localisation(picture.size, self.network.classes, look, (), verdict, provenance=provenance)
        maps = [self._map(look, place, len(present)) for place in present]
        pool, count = self._pool(picture, maps)
        found = tuple(
            self._find(picture, look, place, values, pool)
            for place, values in zip(present, maps, strict=True)
        )
        classes = self.network.classes
        return Localisation(picture.size, classes, look, found, verdict, count, provenance)

    def judge(self, look: Look) -> tuple[list[int], Verdict]:
        """The classes that a look shows, best score first, and whether there is any.

        The verdict's score is that of the best class present; without one, of that least below its threshold.
        """
        classes, scores = self.network.classes, look.scores.astype(np.float64)
        if len(scores) != len(classes):
            raise UsageError(f"a look with {len(scores)} scores for {len(classes)} classes")
        limits = np.array([0.0 if self.thresholds is None else self.thresholds[name] for name in classes])
        order = np.argsort(-scores, kind="stable")
        present = [int(place) for place in order if scores[place] >= limits[place]]
        if self.thresholds is None or not self.settings.several:
            present = present[:1]
        decisive = present[0] if present else int(np.argmax(scores - limits))
        return present, Verdict(bool(present), float(scores[decisive]), float(limits[decisive]))

    def find(self, picture: Picture, look: Look, label: str) -> Found:
        """Where a class is, whatever its score: for metrics that are given the true class.

        Raises:
            UsageError: no such class, or the model's mask decoder is not trained.
        """
        if label not in self.network.classes:
            raise UsageError(f"no class is called {label!r}; known: {', '.join(self.network.classes[:12])}")
        place = self.network.classes.index(label)
        values = self._map(look, place, 1)
        pool, _ = self._pool(picture, [values])
        return self._find(picture, look, place, values, pool)

    def wanted(self, look: Look, label: str | None = None) -> NDArray[np.bool_] | None:
        """The points of the grid that are decoded for a look, see `points_near`.

        Args:
            look: at a picture.
            label: for `find` of this class; None: for `decide`.
        """
        if label is not None:
            return self._wanted([self._map(look, self.network.classes.index(label), 1)])
        present, _ = self.judge(look)
        return self._wanted([self._map(look, place, len(present)) for place in present])

    def _wanted(self, maps: Sequence[FloatMap]) -> NDArray[np.bool_] | None:
        near = [points_near(values, self.settings, self.galleries.grid.points_per_side) for values in maps]
        known = [one for one in near if one is not None]
        return np.logical_or.reduce(known) if known else None

    def _pool(self, picture: Picture, maps: Sequence[FloatMap]) -> tuple[Pool, int]:
        """What may be chosen for some scaled maps, and the number of masks in the gallery."""
        gallery = self.galleries.of(picture, self._wanted(maps))
        return Pool(gallery, self.settings), len(gallery.masks)

    def _map(self, look: Look, place: int, present: int) -> FloatMap:
        return scale(self._guide(look, place, present), self.settings.scaling)

    def _find(self, picture: Picture, look: Look, place: int, values: FloatMap, pool: Pool) -> Found:
        regions = split_regions(values, picture.size, self.settings)
        drawn = self._drawn(picture, values) if self.settings.map_prompt and regions else []
        apart = self.settings.by_component
        choices = [
            choose(region, pool, self.settings, _joined(_touching(region, drawn) if apart else drawn))
            for region in regions
        ]
        kept = distinct(choices, SAME_OBJECT) or [no_place(picture.size)]
        return Found(self.network.classes[place], float(look.scores[place]), values, tuple(kept))

    def _guide(self, look: Look, place: int, present: int) -> FloatMap:
        guide = self.settings.guide
        if guide == "auto":
            guide = "map" if present == 1 else "class"
        if guide == "map":
            return look.map
        own: FloatMap = look.class_maps[place]
        return own if guide == "class" else np.asarray(own * look.map, dtype=np.float32)

    def _drawn(self, picture: Picture, values: FloatMap) -> list[Mask]:
        """The connected parts of the decoder's answer to the map as its mask prompt."""
        level = self.settings.threshold
        # The decoder takes one half for the outline; the map's outline is at its threshold.
        prior = np.where(values <= level, values / level, 1 + (values - level) / (1 - level)) / 2
        answer = sharpen(self.model, picture, np.clip(prior, 0, 1).astype(np.float32))
        inside: NDArray[np.bool_] = answer.probability > INSIDE
        return split_components(inside)

    def _provenance(self) -> dict[str, str]:
        settings, side = self.settings, self.galleries.grid.points_per_side
        return {
            "method": METHOD,
            "model": self.model.card.name,
            "points": f"{side} x {side}",
            "matching": f"{settings.measure} at {settings.side} x {settings.side}",
            "map as prompt": "yes" if settings.map_prompt else "no",
        }


def _touching(region: Region, masks: Sequence[Mask]) -> list[Mask]:
    return [mask for mask in masks if mask.intersection(region.mask)]


def _joined(masks: Sequence[Mask]) -> Mask | None:
    """All of some masks as one; None of none."""
    if len(masks) < 2:
        return masks[0] if masks else None
    full = np.zeros(masks[0].size, dtype=bool)
    for mask in masks:
        full[mask.slices] |= mask.bitmap
    return Mask.from_array(full)


def _check_thresholds(thresholds: Mapping[str, float], classes: tuple[str, ...]) -> None:
    if set(thresholds) != set(classes):
        odd = sorted(set(thresholds) ^ set(classes))[0]
        raise UsageError(f"each class needs one threshold; {odd!r} has none or is no class")
    for name, value in thresholds.items():
        if not 0 <= value <= 1:
            raise UsageError(f"the threshold of {name!r} is a score in 0..1, got {value}")
