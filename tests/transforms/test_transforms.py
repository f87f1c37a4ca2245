"""What each transformation promises by itself."""

import numpy as np
import pytest
from tests.transforms.drawings import SIZE, drawn, photographed, run

from kiridashi.core.errors import SizeMismatchError, UsageError
from kiridashi.transforms import Choice, Frame, parse_choices
from kiridashi.transforms.donor import DrawnDonor, cover
from kiridashi.transforms.removal import fill
from kiridashi.transforms.schedule import Episodes
from kiridashi.transforms.viewpoint import Viewpoint

CLIP = [drawn(index) for index in range(60)]


def test_interjections_lose_nothing() -> None:
    sources = [frame.source for frame in run(Choice("interjection", 2), CLIP[:21])]
    assert sources == [*range(10), None, None, *range(10, 20), None, None, 20]


@pytest.mark.parametrize(("name", "severity", "length"), [("cut", 1, 2), ("cut", 4, 12), ("removal", 3, 8)])
def test_the_object_is_away_for_so_long_and_comes_back(name: str, severity: int, length: int) -> None:
    found = run(Choice(name, severity), CLIP[:40])
    away = [index for index, frame in enumerate(found) if not frame.labels.any()]
    assert len(away) == length
    assert away == list(range(away[0], away[0] + length))
    assert 8 <= away[0] < 13


def test_episodes_come_again() -> None:
    episodes = Episodes(first=9, length=3)
    places = [episodes.place(index) for index in range(53)]
    assert [index for index, place in enumerate(places) if place is not None] == [9, 10, 11, 49, 50, 51]
    assert places[9:12] == [0, 1, 2]


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_an_occlusion_covers_its_share(severity: int, seed: int) -> None:
    covered = []
    for frame, clean in zip(run(Choice("occlusion", severity), CLIP[:30], seed), CLIP, strict=False):
        if frame.amodal is None:
            np.testing.assert_array_equal(frame.labels, clean.labels)
            continue
        np.testing.assert_array_equal(frame.amodal, clean.labels)
        hidden = clean.objects & ~frame.objects
        # What is hidden is the board, and what is seen is not.
        assert (frame.pixels[hidden] != clean.pixels[hidden]).any(axis=1).all()
        np.testing.assert_array_equal(frame.pixels[frame.objects], clean.pixels[frame.objects])
        covered.append(hidden.sum() / clean.objects.sum())
    assert len(covered) == 12
    # To within a column of the objects.
    assert max(covered) == pytest.approx(severity / 5, abs=0.06)
    assert covered[0] < max(covered) > covered[-1]


def test_gamma_reaches_what_it_promises() -> None:
    grey = Frame(np.full((4, 4, 3), 100, dtype=np.uint8), np.zeros((4, 4), dtype=np.uint8), 0)
    values = {int(run(Choice("lighting-gamma", 5), [grey], seed)[0].pixels[0, 0, 0]) for seed in range(8)}
    assert values == {round(255 * (100 / 255) ** 2.5), round(255 * (100 / 255) ** 0.4)}


def test_temperature_pulls_red_and_blue_apart() -> None:
    grey = Frame(np.full((4, 4, 3), 100, dtype=np.uint8), np.zeros((4, 4), dtype=np.uint8), 0)
    for seed in range(4):
        red, green, blue = run(Choice("lighting-temperature", 5), [grey], seed)[0].pixels[0, 0].tolist()
        assert (green, {red, blue}) == (100, {60, 140})


def test_flicker_differs_from_frame_to_frame_and_a_ramp_does_not_jump() -> None:
    white = [Frame(np.full((4, 4, 3), 255, dtype=np.uint8), np.zeros((4, 4), np.uint8), i) for i in range(60)]
    flicker, ramp = (
        np.array([frame.pixels.mean() for frame in run(Choice(f"lighting-{name}", 5), white)])
        for name in ("flicker", "ramp")
    )
    assert np.abs(np.diff(flicker)).mean() > 30
    assert np.abs(np.diff(ramp)).max() < 11
    assert ramp.min() == pytest.approx(255 * 0.25, abs=1)
    assert flicker.min() >= 255 * 0.4 - 1


@pytest.mark.parametrize(("severity", "factor"), [(1, 2), (2, 3), (3, 4), (4, 6), (5, 8)])
def test_speed(severity: int, factor: int) -> None:
    assert [f.source for f in run(Choice("speed", severity), CLIP[:20])] == list(range(0, 20, factor))
    slow = [f.source for f in run(Choice("speed-slow", severity), CLIP[:3])]
    assert slow == [0] * factor + [1] * factor + [2] * factor


@pytest.mark.parametrize("seed", range(4))
def test_a_viewpoint_begins_at_rest_and_moves_smoothly(seed: int) -> None:
    view = Viewpoint(5, seed)
    corners = np.array([[0, 79, 0, 79], [0, 0, 59, 59], [1, 1, 1, 1]])
    places = []
    for index in range(80):
        inverse = np.linalg.inv(view.matrix(SIZE, index)) @ corners
        places.append(inverse[:2] / inverse[2])
    np.testing.assert_array_equal(view.matrix(SIZE, 0), np.eye(3))
    steps = np.abs(np.diff(places, axis=0)).max(axis=(1, 2))
    assert steps.max() < 8
    # Nothing is ever seen from beyond the frame.
    assert np.min(places) >= -1e-6
    assert (np.max(places, axis=(0, 2)) <= np.array([79, 59]) + 1e-6).all()


def test_a_viewpoint_moves_more_the_higher_its_severity() -> None:
    centre = np.array([[20.0], [20.0], [1.0]])
    moved = []
    for severity in range(1, 6):
        there = Viewpoint(severity, 0).matrix(SIZE, 10) @ centre
        moved.append(float(np.hypot(*(there[:2] / there[2] - centre[:2])).item()))
    assert moved == sorted(moved)


def test_look_alikes_stay_behind_and_are_not_labelled() -> None:
    for frame, clean in zip(run(Choice("look-alike", 5), CLIP[:5]), CLIP, strict=False):
        np.testing.assert_array_equal(frame.labels, clean.labels)
        np.testing.assert_array_equal(frame.pixels[clean.objects], clean.pixels[clean.objects])
        assert (frame.pixels[~clean.objects] > 90).sum() > 100


def test_what_is_painted_over_cannot_be_told_from_around_it() -> None:
    pixels = np.full((80, 100, 3), 90, dtype=np.uint8)
    hole = np.zeros((80, 100), dtype=bool)
    hole[30:50, 40:60] = True
    pixels[hole] = 250
    filled = fill(pixels, hole)
    # Telea's running means drift by a few steps of 255.
    assert np.abs(filled.astype(int) - 90).max() <= 5


def test_outside_of_the_hole_and_its_rim_nothing_is_painted() -> None:
    frame = photographed(0)
    filled = fill(frame.pixels, frame.objects)
    changed = (filled != frame.pixels).any(axis=2)
    rows, columns = np.nonzero(frame.objects)
    assert changed[frame.objects].mean() > 0.9
    beyond = np.ones(SIZE, dtype=bool)
    beyond[rows.min() - 2 : rows.max() + 3, columns.min() - 2 : columns.max() + 3] = False
    assert not changed[beyond].any()


def test_a_background_is_mixed_and_then_replaced() -> None:
    other = DrawnDonor(99)
    for severity in (2, 5):
        (frame,) = run(Choice("background", severity), CLIP[:1])
        outside = ~frame.objects
        expected = np.rint(other(0, SIZE)[outside] * (severity / 5))
        assert np.abs(frame.pixels[outside] - expected).max() <= 1
        np.testing.assert_array_equal(frame.pixels[frame.objects], CLIP[0].pixels[frame.objects])


def test_noise_is_of_its_own_in_every_frame() -> None:
    grey = np.full((40, 40, 3), 128, dtype=np.uint8)
    frames = [Frame(grey, np.zeros((40, 40), np.uint8), index) for index in range(2)]
    first, second = (frame.pixels.astype(int) for frame in run(Choice("sensor-noise", 2), frames))
    assert first.std() == pytest.approx(20, abs=1)
    assert (first - second).std() == pytest.approx(20 * np.sqrt(2), abs=2)


def test_resolution_leaves_no_detail() -> None:
    fine = np.tile(np.array([0, 255], dtype=np.uint8), (64, 32))
    frame = Frame(np.repeat(fine[..., None], 3, axis=2), np.zeros((64, 64), np.uint8), 0)
    assert run(Choice("sensor-resolution", 5), [frame])[0].pixels.std() < 5


def test_cover_keeps_the_middle_and_the_proportions() -> None:
    wide = np.zeros((20, 80, 3), dtype=np.uint8)
    wide[:, 30:50] = 255
    assert cover(wide, (20, 20)).min() == 255
    assert cover(wide, (40, 160)).shape == (40, 160, 3)
    assert cover(wide[:1, :1], (7, 9)).shape == (7, 9, 3)


def test_labels_are_of_the_frame_size() -> None:
    with pytest.raises(SizeMismatchError):
        Frame(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8), 0)


def test_choices_are_read() -> None:
    assert parse_choices("cut:5, occlusion,sensor-blur:1") == (
        Choice("cut", 5),
        Choice("occlusion", 3),
        Choice("sensor-blur", 1),
    )
    assert [choice.folder for choice in parse_choices("identity:2,look-alike:4")] == [
        "identity",
        "look-alike-4",
    ]


@pytest.mark.parametrize("text", ["", "cut,cut:3", "cut:6", "cut:x", "cut:", "cute:3", "cut:-1", "cut:٣"])
def test_choices_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_choices(text)
