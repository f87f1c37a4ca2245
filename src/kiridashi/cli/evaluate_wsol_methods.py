"""The methods of `kiridashi evaluate wsol`: one trained network, and what answers from it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kiridashi.cli.progress import Display
from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.wsol.answers import Lesson, Localises, WsolAnswer

if TYPE_CHECKING:
    from kiridashi.localize.gallery import Galleries
    from kiridashi.localize.localizer import Found, Localizer
    from kiridashi.localize.maps import TrainedLocaliser
    from kiridashi.localize.trained import TrainedNetwork
    from kiridashi.localize.training.options import TrainingOptions
    from kiridashi.models.promptable import PromptableModel

# Those of which each class has a map of its own; GT-known takes that of the true class.
BY_CLASS = ("cam", "grad-cam")
COARSE, FINAL, BEST_PREDICTED = "gtformer", "pro2sam", "best-predicted"
TAUGHT = (*BY_CLASS, COARSE, FINAL, BEST_PREDICTED)
TRUNKS = ("compact", "deit-small")
# Key of the note in a model's card that says what it was fitted on.
LESSON = "lesson"


@dataclass(frozen=True, eq=False)
class CoarseMap:
    """A coarse map as it is: GTFormer's, or the class activation map of the class that is given.

    Attributes:
        localiser: gives scores and maps.
        by_class: whether each class has a map of its own.
    """

    localiser: "TrainedLocaliser"
    by_class: bool

    def answer(self, picture: Picture, given: int, /) -> WsolAnswer:
        """Scores and map; box and mask are made from it."""
        look = self.localiser.look(picture)
        return WsolAnswer(look.scores, look.class_maps[given] if self.by_class else look.map)


@dataclass(frozen=True, eq=False)
class Matched:
    """Pro2SAM: the mask that matches the coarse map, or the coarse region."""

    localizer: "Localizer"

    def answer(self, picture: Picture, given: int, /) -> WsolAnswer:
        """The masks chosen for the given class, the first one's box, and what was not chosen for it."""
        network = self.localizer.network
        look = network.look(picture)
        found = self.localizer.find(picture, look, network.classes[given])
        first = found.choices[0]
        others = [one.mask.box for one in first.candidates[:1]] if first.kept_coarse else [first.region.box]
        return WsolAnswer(
            look.scores,
            found.pixel_scores(),
            tuple(choice.box for choice in found.choices),
            _union(found),
            first.kept_coarse,
            others[0] if others else None,
            first.reason,
        )


@dataclass(frozen=True, eq=False)
class BestPredicted:
    """The mask of the gallery that the decoder is surest of, which needs no labels at all."""

    galleries: "Galleries"

    def answer(self, picture: Picture, _: int, /) -> WsolAnswer:
        """That mask; the whole picture when the gallery is empty."""
        found = self.galleries.of(picture)
        if not found.masks:
            height, width = picture.size
            return WsolAnswer(None, None, ((0, 0, width, height),), Mask.from_array(np.ones(picture.size)))
        mask = found.masks[int(np.argmax(found.predicted_iou))]
        return WsolAnswer(None, None, (mask.box,), mask)


@dataclass(frozen=True, eq=False)
class Teacher:
    """Trains one network a lesson, or takes the one that an earlier run has left.

    Attributes:
        model: whose trunk is looked through, and whose decoder draws the gallery.
        trunk: of `TRUNKS`.
        area: of a picture that what is to be found covers; None: the trunk's default.
        grid: points along each side that the gallery is asked at.
        cache: folder for features and galleries.
        display: shows how far the training is.
    """

    model: "PromptableModel"
    trunk: str
    area: float | None
    grid: int
    cache: Path
    display: Display = field(repr=False)

    def __call__(self, lesson: Lesson) -> Mapping[str, Localises]:
        """The methods of `TAUGHT`, all on the network of this lesson.

        Raises:
            KiridashiError: nothing can be learned from these labels.
        """
        from kiridashi.localize.gallery import Galleries
        from kiridashi.localize.localizer import Localizer
        from kiridashi.localize.maps import TrainedLocaliser
        from kiridashi.localize.settings import LocaliseSettings, for_inspection

        network = self._network(lesson)
        model = None if network.facts.options.network.is_deit else self.model
        settings = LocaliseSettings(points_per_side=self.grid)
        if network.facts.inspects:
            settings = for_inspection(settings)
        galleries = Galleries(self.model, settings.grid, self.cache)
        coarse = {
            name: TrainedLocaliser(model, network, method=name)  # type: ignore[arg-type]
            for name in (*BY_CLASS, COARSE)
        }
        return {
            **{name: CoarseMap(one, name in BY_CLASS) for name, one in coarse.items()},
            FINAL: Matched(Localizer(self.model, coarse[COARSE], settings, galleries=galleries)),
            BEST_PREDICTED: BestPredicted(galleries),
        }

    def _network(self, lesson: Lesson) -> "TrainedNetwork":
        from kiridashi.localize.labels.items import LabelledPicture
        from kiridashi.localize.model_folder import load_network
        from kiridashi.localize.training.fitting import train
        from kiridashi.localize.training.options import for_inspection

        options = training_options(self.trunk, self.area, lesson.seed)
        if self.trunk == "compact" and any(not one.labels for one in lesson.pictures):
            options = for_inspection(options, self.area)
        digest = _digest(lesson, options.to_dict(), self.model.card.name)
        try:
            kept = load_network(lesson.folder)
            if kept.facts.notes.get(LESSON) == digest:
                return kept
        except InputError:
            # Nothing is there yet, or what an aborted run has left.
            pass
        items = [LabelledPicture(one.path, frozenset(one.labels)) for one in lesson.pictures]
        with self.display.part(f"learn from {len(items)} pictures") as tell:
            return train(
                items,
                lesson.classes,
                options,
                lesson.folder,
                _telling(tell),
                model=self.model,
                cache=self.cache,
                notes={LESSON: digest},
            )


def training_options(trunk: str, area: float | None, seed: int) -> "TrainingOptions":
    """How the network is trained: the defaults of `localize fit`, or as published on a DeiT."""
    from kiridashi.localize.training.options import TrainingOptions, published_ilsvrc

    options = TrainingOptions() if trunk == "compact" else published_ilsvrc()
    return replace(options, seed=seed, area=options.area if area is None else area)


def _union(found: "Found") -> Mask:
    first, *others = (choice.mask for choice in found.choices)
    for other in others:
        first = first | other
    return first


def _telling(tell: Callable[[int, int], None]) -> Callable[[str, int, int], None]:
    return lambda _, done, total: tell(done, total)


def _digest(lesson: Lesson, options: Mapping[str, Any], model: str) -> str:
    pictures = [(one.id, sorted(one.labels), one.path.stat().st_size) for one in lesson.pictures]
    parts = [pictures, lesson.classes, options, model]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
