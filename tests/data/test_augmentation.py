from collections.abc import Callable

import numpy as np
import pytest

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.data.augmentation import AugmentationOptions, affine_matrix, augment, photometric, warp

DEFAULT = AugmentationOptions()
STILL = AugmentationOptions(rotation=0, translation=0, scale=(1, 1), shear=0)
PLAIN = AugmentationOptions(brightness=0, contrast=0, saturation=0, hue=0)
NOTHING = AugmentationOptions(0, 0, 0, 0, 0, 0, (1, 1), 0)

DiscSite = Callable[..., Reference]


def draw(reference: Reference, options: AugmentationOptions, seed: int) -> tuple[Picture, Mask]:
    return augment(reference.picture, reference.mask, options, np.random.default_rng(seed))


def test_equal_seeds_give_equal_copies(disc_site: DiscSite) -> None:
    (one, mask), (twin, twin_mask) = (draw(disc_site(0), DEFAULT, 5) for _ in range(2))
    other, _ = draw(disc_site(0), DEFAULT, 6)
    assert one.digest == twin.digest != other.digest
    assert mask == twin_mask
    assert one.size == mask.size == (120, 160)


def test_zero_ranges_change_nothing_to_speak_of(disc_site: DiscSite) -> None:
    reference = disc_site(0)
    picture, mask = draw(reference, NOTHING, 1)
    assert mask == reference.mask
    assert np.abs(picture.pixels.astype(int) - reference.picture.pixels).max() <= 1


def test_the_mask_moves_with_the_picture(disc_site: DiscSite) -> None:
    """The discs are red on green: where the copy is red is where its mask must be."""
    reference = disc_site(1, discs=2)
    for seed in range(8):
        picture, mask = draw(reference, PLAIN, seed)
        red = picture.pixels[..., 0].astype(int) - picture.pixels[..., 1] > 40
        assert Mask.from_array(red).iou(mask) > 0.9
        assert mask != reference.mask


def test_light_leaves_the_mask_alone(disc_site: DiscSite) -> None:
    reference = disc_site(2)
    picture, mask = draw(reference, STILL, 3)
    assert mask == reference.mask
    assert picture.digest != reference.picture.digest


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_each_change_of_light_does_what_it_says(disc_site: DiscSite, name: str) -> None:
    pixels = disc_site(3).picture.pixels
    only = AugmentationOptions(**{**vars(NOTHING), name: 0.3})
    changed = [photometric(pixels, only, np.random.default_rng(seed)).astype(float) for seed in range(6)]
    if name == "brightness":
        # Before clipping, every pixel keeps its proportion to the others.
        ratios = [c[pixels.max(2) < 150].sum() / pixels[pixels.max(2) < 150].sum() for c in changed]
        assert all(0.69 < ratio < 1.31 for ratio in ratios)
    elif name == "contrast":
        ratios = [c.mean(2).std() / pixels.mean(2).std() for c in changed]
    elif name == "saturation":
        ratios = [np.ptp(c, axis=2).mean() / np.ptp(pixels, axis=2).mean() for c in changed]
    else:
        # Hue keeps the largest channel, and lets another one be it.
        assert all(np.abs(c.max(2) - pixels.max(2)).max() <= 2 for c in changed)
        ratios = [c[..., 1].mean() / pixels[..., 1].mean() for c in changed]
    assert max(ratios) - min(ratios) > 0.1


def test_poses_stay_in_their_ranges() -> None:
    options = AugmentationOptions(shear=0)
    seen = []
    for seed in range(200):
        matrix, scale = affine_matrix((101, 201), options, np.random.default_rng(seed))
        linear = matrix[:, :2]
        assert np.sqrt(np.linalg.det(linear)) == pytest.approx(scale)
        angle = np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))
        middle = np.array([100.0, 50.0])
        shift = (matrix @ [*middle, 1] - middle) / (201, 101)
        seen.append((scale, angle, *shift))
    low, high = np.min(seen, axis=0), np.max(seen, axis=0)
    for value, most in zip(low, (0.7, -30, -0.1, -0.1), strict=True):
        assert most <= value < 0.9 * most + (0.2 if most > 0 else 0)
    for value, most in zip(high, (1.3, 30, 0.1, 0.1), strict=True):
        assert 0.85 * most < value <= most


def test_shear_slants_by_its_angle() -> None:
    options = AugmentationOptions(**{**vars(NOTHING), "shear": 10.0})
    matrices = [affine_matrix((50, 50), options, np.random.default_rng(seed))[0] for seed in range(100)]
    angles = [np.degrees(np.arctan(matrix[0, 1])) for matrix in matrices]
    assert 8 < max(np.abs(angles)) <= 10
    assert all(matrix[1, 0] == 0 for matrix in matrices)


def test_no_black_corners_come_in() -> None:
    white = np.full((40, 60, 3), 255, dtype=np.uint8)
    matrix, _ = affine_matrix((40, 60), DEFAULT, np.random.default_rng(0))
    moved, mask = warp(white, np.zeros((40, 60), dtype=bool), matrix)
    assert moved.min() == 255
    assert not mask.any()


def test_an_object_at_the_border_does_not_get_lost() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    corner = np.zeros((60, 80), dtype=bool)
    corner[:4, :4] = True
    options = AugmentationOptions(translation=0.3)
    for seed in range(30):
        _, mask = augment(Picture(pixels), Mask.from_array(corner), options, np.random.default_rng(seed))
        assert mask.area >= 0.25 * 0.7**2 * 16


def test_a_pose_that_always_loses_the_object_is_given_up() -> None:
    """One pixel shrunk a hundred times is nowhere: the copy keeps the reference's pose."""
    point = np.zeros((40, 40), dtype=bool)
    point[3, 5] = True
    options = AugmentationOptions(**{**vars(NOTHING), "scale": (30.0, 30.0)})
    picture = Picture(np.zeros((40, 40, 3), dtype=np.uint8))
    _, mask = augment(picture, Mask.from_array(point), options, np.random.default_rng(0))
    assert mask == Mask.from_array(point)
