"""What the thousandth class costs beside the tenth: adding it, and looking for it.

The embeddings of the classes are random unit vectors of the model's width: what an addition or a look costs
does not depend on what they say.
"""

import gc
import time
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from kiridashi.classes.calibration import calibrate
from kiridashi.classes.classifier import CosineClassifier
from kiridashi.classes.detector import Detector
from kiridashi.core.picture import Picture

Vectors = NDArray[np.float32]

# Additions about the tenth and about the last whose median counts.
WINDOW = 10


@dataclass(frozen=True)
class Cost:
    """Of one addition: the row and the threshold from embedded shots.

    Attributes:
        seconds: median over the window and the repeats.
        allocated: bytes that torch and Python allocate for it.
    """

    seconds: float
    allocated: int


def random_shots(count: int, width: int, rng: np.random.Generator) -> Vectors:
    """(count, width) unit vectors of one made-up class, alike as shots of one are."""
    middle = rng.normal(size=width)
    shots = middle + rng.normal(size=(count, width))
    unit: Vectors = (shots / np.linalg.norm(shots, axis=1, keepdims=True)).astype(np.float32)
    return unit


def addition_costs(
    width: int, shots: int, most: int, repeats: int, seed: int = 0
) -> tuple[Cost, Cost, float]:
    """Costs of the tenth and of the last addition, and the longest single one in seconds.

    Args:
        width: of the embeddings.
        shots: of each class.
        most: number of classes, more than 15.
        repeats: how often the classifier is built anew.
        seed: of the embeddings.
    """
    rng = np.random.default_rng(seed)
    samples = [random_shots(shots, width, rng) for _ in range(most)]
    early, late = range(10 - WINDOW // 2, 10 + WINDOW // 2), range(most - WINDOW, most)
    seconds: dict[int, list[float]] = {place: [] for place in range(most)}
    for _ in range(repeats):
        classifier = CosineClassifier(width)
        for place, sample in enumerate(samples):
            began = time.perf_counter()
            classifier = _added(classifier, place, sample)
            seconds[place].append(time.perf_counter() - began)
    allocated = {place: _allocated(samples, place) for place in (9, most - 1)}
    both = [
        Cost(median(value for place in window for value in seconds[place]), allocated[at])
        for window, at in ((early, 9), (late, most - 1))
    ]
    return both[0], both[1], max(median(values) for values in seconds.values())


def bytes_kept(classes: int, width: int) -> float:
    """Of the rows of that many classes, each, the room for those to come included."""
    classifier = CosineClassifier(width)
    rng = np.random.default_rng(0)
    for place in range(classes):
        classifier = classifier.with_class(f"class {place}", random_shots(1, width, rng))
    return classifier.rows.untyped_storage().nbytes() / classes


def look_seconds(
    detectors: Mapping[str, Detector], pictures: Sequence[Picture], repeats: int
) -> dict[str, list[float]]:
    """Seconds of each look, encoding included; the detectors take turns, first one first, then the other."""
    seconds: dict[str, list[float]] = {name: [] for name in detectors}
    names = list(detectors)
    for turn in range(repeats):
        for index, picture in enumerate(pictures):
            for name in names[:: 1 if (turn + index) % 2 == 0 else -1]:
                fresh = _fresh(picture, turn * len(names) + names.index(name))
                began = time.perf_counter()
                detectors[name].detect(fresh)
                seconds[name].append(time.perf_counter() - began)
    return seconds


def _added(classifier: CosineClassifier, place: int, shots: Vectors) -> CosineClassifier:
    calibrate(shots)
    return classifier.with_class(f"class {place}", shots)


def _allocated(samples: Sequence[Vectors], place: int) -> int:
    """Bytes that the addition at `place` allocates: tensors by torch's profiler, the rest by tracemalloc."""
    classifier = _grown(samples[:place])
    with torch.autograd.profiler.profile(profile_memory=True, use_kineto=False) as profile:
        _added(classifier, place, samples[place])
    tensors = sum(max(event.self_cpu_memory_usage, 0) for event in profile.key_averages())
    # Anew: the rows of the first one have been appended to, a second time would copy them.
    classifier = _grown(samples[:place])
    gc.collect()
    tracemalloc.start()
    _added(classifier, place, samples[place])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return int(tensors) + peak


def _grown(samples: Sequence[Vectors]) -> CosineClassifier:
    classifier = CosineClassifier(samples[0].shape[1] if samples else 1)
    for place, shots in enumerate(samples):
        classifier = _added(classifier, place, shots)
    return classifier


def _fresh(picture: Picture, mark: int) -> Picture:
    """The picture with one pixel changed: a model keeps what it has encoded."""
    pixels = picture.pixels.copy()
    pixels[0, 0] = (mark % 256, mark // 256 % 256, 7)
    return Picture(pixels, picture.name)
