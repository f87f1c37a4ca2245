import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training.image.priors import elsewhere, spoil
from training.image.prompts import Layout, draw_layouts, make_task, object_numbers
from training.image.windows import FRAME, IGNORE, TOKEN, Window, cut_window
from training.scenes import Scene


def scene() -> Scene:
    objects = np.zeros((120, 200), np.uint8)
    objects[30:80, 40:90] = 1
    objects[60:110, 130:180] = 2
    objects[:, 190:] = IGNORE
    pixels = np.stack([objects * 100] * 3, axis=-1)
    return Scene(pixels, objects)


def window() -> Window:
    objects = np.zeros((256, 256), np.uint8)
    objects[40:120, 40:120] = 1
    objects[150:200, 150:230] = 2
    return Window(np.zeros((256, 256, 3), np.uint8), objects, (0, 0))


@given(st.integers(0, 10_000), st.sampled_from([64, 256, 512]))
@settings(max_examples=40, deadline=None)
def test_pixels_and_objects_of_a_window_stay_together(seed: int, side: int) -> None:
    cut = cut_window(scene(), side, np.random.default_rng(seed))
    assert cut.pixels.shape == (side, side, 3)
    inside = (cut.objects == 1) | (cut.objects == 2)
    value = cut.pixels[..., 0].astype(int)
    # Interpolation blurs a pixel or two at the borders; elsewhere the colour is the number times 100.
    agree = np.abs(value - cut.objects.astype(int) * 100) <= 60
    assert agree[inside].mean() > 0.7 if inside.any() else True
    x, y = cut.corner
    assert 0 <= min(x, y) <= max(x, y) <= (FRAME - side) // TOKEN


@pytest.mark.parametrize("layout", [Layout(1, False, False), Layout(0, True, False), Layout(4, True, True)])
def test_prompts_mean_the_object(layout: Layout) -> None:
    for seed in range(20):
        task = make_task(window(), layout, np.random.default_rng(seed))
        assert task.points.shape == (layout.clicks, 3)
        assert task.truth.max() == 1
        inside = np.repeat(np.repeat(task.truth > 0, 4, 0), 4, 1)
        if layout.clicks == 1:
            x, y, label = task.points[0]
            assert label == 1
            assert inside[int(y), int(x)]
        if layout.box:
            rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
            tight = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
            assert np.abs(task.box - tight).max() <= 0.11 * max(tight[2] - tight[0], tight[3] - tight[1]) + 4


def test_a_prior_may_mean_something_that_is_not_there() -> None:
    layout = Layout(0, False, True)
    tasks = [make_task(window(), layout, np.random.default_rng(seed)) for seed in range(100)]
    absent = [task for task in tasks if task.truth.sum() == 0]
    assert 2 <= len(absent) <= 35
    assert all(np.isfinite(task.prior).all() and np.abs(task.prior).max() <= 8 for task in tasks)


def test_layouts_always_hold_a_click_a_box_and_a_prior() -> None:
    for seed in range(20):
        click, box, prior, *_ = draw_layouts(5, np.random.default_rng(seed))
        assert (click, box, prior.prior) == (Layout(1, False, False), Layout(0, True, False), True)


def test_objects_too_small_or_too_large_are_not_asked_for() -> None:
    objects = np.ones((256, 256), np.uint8)
    objects[:5, :5] = 2
    assert len(object_numbers(Window(np.zeros((256, 256, 3), np.uint8), objects, (0, 0)))) == 0


def test_a_spoiled_prior_still_points_at_its_object_on_the_whole() -> None:
    cover = np.zeros((64, 64), np.float32)
    cover[20:40, 20:40] = 1
    ious = []
    for seed in range(60):
        prior = spoil(cover, np.zeros_like(cover), np.random.default_rng(seed))
        found = prior > 0
        ious.append((found & (cover > 0.5)).sum() / max((found | (cover > 0.5)).sum(), 1))
    assert 0.3 < np.mean(ious) < 0.95


def test_what_is_moved_elsewhere_does_not_touch_the_truth() -> None:
    cover = np.zeros((64, 64), np.float32)
    cover[5:15, 5:15] = 1
    for seed in range(20):
        moved = elsewhere(cover, cover, np.random.default_rng(seed))
        assert (moved * cover).sum() <= 0.02 * 100
