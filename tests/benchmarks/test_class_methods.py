from collections.abc import Callable, Mapping

import numpy as np
import pytest

from common.class_methods import AS_USED, OURS, LinearHead, ModelEye, NearestMean, Neighbours, Rival, methods
from kiridashi.classes.calibration import calibrate
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.ifsis.looking import Look, Vectors
from kiridashi.models.promptable import PromptableModel

SIZE = (20, 40)


def cluster(axis: int, width: int, count: int = 5, seed: int = 0) -> Vectors:
    noise = np.random.default_rng([seed, axis]).normal(0, 0.02, (count, width))
    noise[:, axis] += 1
    return noise.astype(np.float32)


def look_of(vectors: Vectors) -> Look:
    masks = []
    for place in range(len(vectors)):
        full = np.zeros(SIZE, dtype=bool)
        full[2:10, 8 * place : 8 * place + 6] = True
        masks.append(Mask.from_array(full))
    return Look(SIZE, tuple(masks), np.full(len(vectors), 0.9, np.float32), vectors)


@pytest.fixture(scope="module")
def eye(tiny_compact: PromptableModel) -> ModelEye:
    return ModelEye(tiny_compact)


def test_every_method_learns_a_class_more(eye: ModelEye) -> None:
    width = eye.embedder.width
    look = look_of(np.concatenate([cluster(axis, width, 1, seed=1) for axis in (0, 1, 2, 3)]))
    for name, factory in methods(eye).items():
        method = factory()
        method.start({"bolt": cluster(0, width), "nut": cluster(1, width)}, cluster(3, width))
        before = {one.place: one.label for one in method.detect(look)}
        method.add("cog", cluster(2, width))
        found = method.detect(look)
        after = {one.place: one.label for one in found}
        assert (before[0], before[1]) == ("bolt", "nut"), name
        assert (after[0], after[1], after[2]) == ("bolt", "nut", "cog"), name
        assert all(0 <= one.score <= 1 for one in found), name
        # What is most like the background is left out, or ranked low.
        scores = {one.place: one.score for one in found}
        if name == AS_USED:
            assert 3 not in after
        elif name != "nearest mean":
            assert scores[3] < 0.5 * min(scores[place] for place in range(3)), name


def test_every_method_begins_without_classes_and_stands_an_empty_picture(eye: ModelEye) -> None:
    width = eye.embedder.width
    for name, factory in methods(eye).items():
        method = factory()
        method.start({}, cluster(3, width))
        method.add("cog", cluster(2, width, 1))
        assert [one.label for one in method.detect(look_of(cluster(2, width, 1)))] == ["cog"], name
        assert list(method.detect(look_of(np.empty((0, width), np.float32)))) == [], name


def test_ours_takes_the_calibrated_threshold(eye: ModelEye) -> None:
    shots = cluster(0, eye.embedder.width)
    ours = methods(eye)[OURS]()
    ours.start({"bolt": shots}, cluster(3, eye.embedder.width))
    assert getattr(ours, "thresholds") == {"bolt": calibrate(shots)}  # noqa: B009


@pytest.mark.parametrize("make", [NearestMean, Neighbours, LinearHead])
def test_rivals_do_without_background(make: Callable[[], Rival]) -> None:
    classes: Mapping[str, Vectors] = {"bolt": cluster(0, 8), "nut": cluster(1, 8)}
    rival = make()
    rival.learn(classes, np.empty((0, 8), np.float32))
    labels, shares = rival.classify(np.concatenate([cluster(1, 8, 2, seed=3), cluster(0, 8, 1, seed=3)]))
    assert labels == ["nut", "nut", "bolt"]
    assert (shares > 0.5).all()


def test_the_eye_looks_with_the_model(eye: ModelEye, make_picture: Callable[..., Picture]) -> None:
    look = eye.look(make_picture())
    assert look.size == (48, 64)
    assert look.embeddings.shape == (len(look.masks), eye.embedder.width)
    assert look.quality.shape == (len(look.masks),)
    full = Mask.from_array(np.ones((48, 64)))
    assert np.linalg.norm(eye.embed(make_picture(), [full]), axis=1) == pytest.approx(1, abs=1e-5)
