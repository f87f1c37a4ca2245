"""What holds for all transformations."""

import numpy as np
import pytest
from tests.transforms.drawings import LENGTH, SIZE, drawn, edges, photographed, run

from kiridashi.transforms import CARDS, PRESETS, Choice, build
from kiridashi.transforms.donor import DrawnDonor

CLIP = [photographed(index) for index in range(LENGTH)]
SHORT = CLIP[:14]
# Those that give each frame of the clip once and in order.
SAME_TIME = [name for name in CARDS if name not in ("interjection", "cut", "speed", "speed-slow")]
# Those that leave the colours of the objects as they are.
SAME_COLOURS = [
    name for name in CARDS if not name.startswith(("lighting", "sensor")) and name not in ("removal",)
]


@pytest.mark.parametrize("name", CARDS)
def test_severity_zero_changes_nothing(name: str) -> None:
    found = run(Choice(name, 0), SHORT)
    assert len(found) == len(SHORT)
    assert all(a is b for a, b in zip(found, SHORT, strict=True))


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("severity", [1, 5])
def test_sizes_types_and_sources(name: str, severity: int) -> None:
    for frame in run(Choice(name, severity), SHORT):
        assert frame.pixels.shape == (*SIZE, 3)
        assert frame.labels.shape == SIZE
        assert frame.pixels.dtype == frame.labels.dtype == np.uint8
        assert set(np.unique(frame.labels)) <= {0, 1, 2}
        assert frame.source is None or 0 <= frame.source < len(SHORT)
        if frame.source is None:
            assert not frame.labels.any()


@pytest.mark.parametrize("name", CARDS)
def test_the_clip_itself_is_not_touched(name: str) -> None:
    frames = [photographed(index) for index in range(10, 12)]
    run(Choice(name, 5), frames)
    for index, frame in zip(range(10, 12), frames, strict=True):
        np.testing.assert_array_equal(frame.pixels, photographed(index).pixels)
        np.testing.assert_array_equal(frame.labels, photographed(index).labels)


@pytest.mark.parametrize("name", CARDS)
def test_a_seed_decides_everything(name: str) -> None:
    first, again, other = (run(Choice(name, 4), SHORT, seed) for seed in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
        np.testing.assert_array_equal(a.labels, b.labels)
    if name in ("occlusion", "lighting", "viewpoint", "look-alike", "sensor"):
        assert any((a.pixels != b.pixels).any() for a, b in zip(first, other, strict=False))


@pytest.mark.parametrize("name", CARDS)
def test_a_frame_needs_no_frame_before_it(name: str) -> None:
    """Nothing is kept but what the seed says, so that a clip can be entered anywhere."""
    everything = [build(Choice(name, 3), 0, DrawnDonor(99)) for _ in range(2)]
    before = [everything[0](frame, index) for index, frame in enumerate(SHORT)]
    for a, b in zip(everything[1](SHORT[-1], len(SHORT) - 1), before[-1], strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)


@pytest.mark.parametrize("name", SAME_TIME)
def test_every_frame_comes_once(name: str) -> None:
    assert [frame.source for frame in run(Choice(name, 5), SHORT)] == list(range(len(SHORT)))


@pytest.mark.parametrize("name", SAME_COLOURS)
@pytest.mark.parametrize("severity", [2, 5])
def test_pixels_and_labels_move_together(name: str, severity: int) -> None:
    """What is labelled looks like its label, wherever it has gone."""
    for frame in run(Choice(name, severity), [drawn(index) for index in range(24)]):
        inside = ~edges(frame.labels)
        for label, bright in ((1, 255), (2, 180)):
            seen = frame.pixels[(frame.labels == label) & inside]
            assert np.abs(seen.astype(int) - bright).max(initial=0) <= 2


@pytest.mark.parametrize("name", ["viewpoint", "speed", "speed-slow", "identity"])
def test_what_looks_like_an_object_is_labelled(name: str) -> None:
    """On black, with nothing put in front or behind."""
    for frame in run(Choice(name, 5), [drawn(index) for index in range(24)]):
        bright = frame.pixels[..., 0] > 90
        assert (bright == frame.objects)[~edges(frame.labels)].all()


def strength(name: str, severity: int) -> float:
    """How far a clip is from what it was: frames lost, frames of something else, and colours."""
    found = run(Choice(name, severity), CLIP)
    foreign = sum(frame.source is None for frame in found)
    colours = [
        np.abs(frame.pixels.astype(int) - CLIP[frame.source].pixels).mean()
        for frame in found
        if frame.source is not None
    ]
    return 255.0 * (abs(len(found) - len(CLIP)) + foreign) + float(np.sum(colours))


@pytest.mark.parametrize("name", [name for name in CARDS if name != "identity"])
def test_a_higher_severity_is_stronger(name: str) -> None:
    values = [strength(name, severity) for severity in range(6)]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[5] > values[3] > values[1] > 0


@pytest.mark.parametrize("name", CARDS)
def test_frames_without_objects_are_no_trouble(name: str) -> None:
    empty = [type(frame)(frame.pixels, np.zeros_like(frame.labels), frame.source) for frame in SHORT]
    assert not any(frame.labels.any() for frame in run(Choice(name, 5), empty))


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("size", [(1, 1), (9, 40), (64, 3)])
def test_odd_sizes(name: str, size: tuple[int, int]) -> None:
    frames = [photographed(index, (120, 120)) for index in range(14)]
    cut = [type(f)(f.pixels[: size[0], : size[1]], f.labels[: size[0], : size[1]], f.source) for f in frames]
    full = [type(f)(f.pixels, np.ones_like(f.labels), f.source) for f in cut]
    assert all(frame.size == size for frame in run(Choice(name, 5), cut) + run(Choice(name, 3), full))


def test_presets() -> None:
    assert len(PRESETS["five"]) == 5
    assert [CARDS[name].family for name in PRESETS["all"]] == [f"T{number}" for number in range(11)]
    assert set(PRESETS["five"]) <= set(PRESETS["all"])
