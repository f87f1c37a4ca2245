import numpy as np
import pytest
from tests.classes.states import matrix

from kiridashi.classes.checklist import (
    Level,
    Remark,
    Traits,
    difference_hash,
    examine,
    examine_rivals,
    traits,
)
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

SIZE = (96, 128)


def shown(
    seed: int = 0,
    box: tuple[int, int, int, int] = (40, 30, 80, 50),
    light: int = 200,
    ground: tuple[int, int, int] = (90, 90, 90),
    name: str | None = None,
) -> Traits:
    """Traits of a bright box on a blotchy ground."""
    rng = np.random.default_rng(seed)
    blotches = rng.integers(-40, 40, (12, 16, 1)).repeat(8, 0).repeat(8, 1)
    pixels = (np.array(ground) + blotches).clip(0, 255).astype(np.uint8)
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = light
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return traits(Picture(pixels, name or f"{seed}.png"), Mask.from_array(mask))


def about(remarks: list[Remark], topic: str) -> list[tuple[Level, str]]:
    return [(one.level, one.text) for one in remarks if one.about == topic]


VARIED = [
    shown(0, (40, 30, 80, 50), 200, (90, 90, 90)),
    shown(1, (20, 10, 34, 60), 150, (200, 60, 60)),
    shown(2, (60, 40, 120, 66), 230, (30, 30, 160)),
    shown(3, (10, 60, 40, 76), 110, (20, 140, 40)),
    shown(4, (90, 10, 104, 44), 180, (220, 220, 220)),
]


def test_varied_samples_with_look_alikes_lack_nothing() -> None:
    assert {one.level for one in examine(VARIED, lookalikes=3)} == {Level.GOOD}


def test_one_sample_is_few() -> None:
    remarks = examine(VARIED[:1])
    assert about(remarks, "number")[0][0] is Level.MISSING
    assert remarks[0].about == "number"
    # Nothing can be said of variety.
    assert not about(remarks, "light") + about(remarks, "backgrounds") + about(remarks, "angles")


def test_look_alikes_are_asked_for() -> None:
    assert about(examine(VARIED), "look-alikes")[0][0] is Level.CONSIDER
    assert "one is known" in about(examine(VARIED, lookalikes=1), "look-alikes")[0][1]


def test_the_same_pose_light_and_ground() -> None:
    # The same box in other places, so that the pictures differ.
    alike = [shown(seed, (8 * seed, 10 + 9 * seed, 8 * seed + 30, 25 + 9 * seed)) for seed in range(1, 6)]
    remarks = examine(alike)
    for topic in ("angles", "distance", "light", "backgrounds"):
        assert about(remarks, topic)[0][0] is Level.CONSIDER, topic


def test_directions_are_compared_across_the_turn_from_180_to_0() -> None:
    def bar(degrees: float) -> Traits:
        rows, columns = np.mgrid[:96, :128]
        angle = np.deg2rad(degrees)
        along = (columns - 64) * np.cos(angle) + (rows - 48) * np.sin(angle)
        across = (rows - 48) * np.cos(angle) - (columns - 64) * np.sin(angle)
        mask = (abs(along) < 40) & (abs(across) < 6)
        return traits(Picture(np.zeros((*SIZE, 3), np.uint8), "bar"), Mask.from_array(mask))

    for degrees in (0, 30, 90, 176):
        found = bar(degrees).angle
        assert found is not None
        assert min(abs(found - degrees), 180 - abs(found - degrees)) < 1.5
    assert about(examine([bar(176), bar(4), bar(0)]), "angles")[0][0] is Level.CONSIDER
    assert about(examine([bar(0), bar(60), bar(120)]), "angles")[0][0] is Level.GOOD


def test_a_round_thing_has_no_direction() -> None:
    assert shown(box=(40, 30, 60, 50)).angle is None


def test_nearly_the_same_picture_is_named_with_its_twin() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (8, 9, 3)).repeat(12, 0).repeat(14, 1).astype(np.uint8)
    mask = np.zeros(pixels.shape[:2], bool)
    mask[20:60, 20:80] = True
    first = traits(Picture(pixels, "a.png"), Mask.from_array(mask))
    noisy = (pixels.astype(int) + rng.integers(-4, 5, pixels.shape)).clip(0, 255).astype(np.uint8)
    again = traits(Picture(noisy[::2, ::2], "b.png"), Mask.from_array(mask[::2, ::2]))
    assert "a.png and b.png" in about(examine([first, again]), "near-duplicates")[0][1]
    elsewhere = traits(Picture(noisy, "c.png"), Mask.from_array(np.roll(mask, 40, axis=1)))
    assert not about(examine([first, elsewhere]), "near-duplicates")
    other = traits(Picture(pixels[:, ::-1], "d.png"), Mask.from_array(mask))
    assert not about(examine([first, other]), "near-duplicates")


def test_the_hash_outlives_resizing_and_compression_but_not_another_scene() -> None:
    import io

    from PIL import Image

    pixels = np.random.default_rng(1).integers(0, 255, (8, 9, 3)).repeat(20, 0).repeat(20, 1).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((90, 80)).save(stream, "JPEG", quality=60)
    small = np.asarray(Image.open(stream))
    same = difference_hash(Picture(pixels)) ^ difference_hash(Picture(small))
    other = difference_hash(Picture(pixels)) ^ difference_hash(Picture(pixels[::-1].copy()))
    assert same.bit_count() <= 2
    assert other.bit_count() > 16


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((40, 30, 44, 34), "covers less than 0.4%"),
        ((1, 1, 127, 95), "inverted"),
        ((0, 30, 40, 50), "cut off"),
    ],
)
def test_masks_that_teach_little(box: tuple[int, int, int, int], words: str) -> None:
    assert any(words in text for _, text in about(examine([shown(box=box)]), "masks"))


def test_a_mask_of_two_objects_is_pointed_out_and_specks_are_not() -> None:
    mask = np.zeros(SIZE, bool)
    mask[10:40, 10:40] = mask[60:62, 60:62] = True
    picture = Picture(np.zeros((*SIZE, 3), np.uint8), "p.png")
    assert not any(
        "separate" in text for _, text in about(examine([traits(picture, Mask.from_array(mask))]), "masks")
    )
    mask[50:80, 80:110] = True
    assert any(
        "separate" in text for _, text in about(examine([traits(picture, Mask.from_array(mask))]), "masks")
    )


def test_a_sample_unlike_the_others_is_named() -> None:
    rows = matrix([[1, 0, 0], [1, 0.1, 0], [1, 0, 0.1], [0, 1, 0], [1, 0.1, 0.1]])
    remarks = about(examine(VARIED, embeddings=rows), "likeness")
    assert len(remarks) == 1
    assert "3.png looks unlike" in remarks[0][1]


def test_classes_that_look_alike_are_named_nearest_first() -> None:
    rows = dict(
        zip(
            ("nut", "bolt", "washer", "pin"),
            matrix([[1, 0, 0], [1, 0.5, 0], [1, 0.2, 0], [0, 0, 1]]),
            strict=True,
        )
    )
    (remark,) = examine_rivals("nut", rows)
    assert "'washer', 'bolt'" in remark.text
    assert not examine_rivals("pin", rows)
