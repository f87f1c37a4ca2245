import numpy as np
import pytest

from kiridashi.core.mask import Bitmap, Mask
from kiridashi.reference.instances import ObjectSize, mean_inside, split_instances, whole_object

SIZE = (100, 140)


def discs(*centres: tuple[int, int], radius: float = 12) -> Bitmap:
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    full = np.zeros(SIZE, dtype=bool)
    for y, x in centres:
        full |= (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    return full


def test_object_size_knows_one_size_from_many() -> None:
    same = ObjectSize.of([Mask.from_array(discs((30, 30), (60, 100)))])
    assert same.uniform
    assert same.typical == pytest.approx(np.pi * 144 / (100 * 140), rel=0.05)
    assert not ObjectSize.of([Mask.from_array(discs((30, 30)))]).uniform
    mixed = [Mask.from_array(discs((50, 50), radius=r)) for r in (8, 14, 25)]
    assert not ObjectSize.of(mixed).uniform


def test_objects_come_apart_best_first() -> None:
    size = ObjectSize.of([Mask.from_array(discs((30, 30)))])
    probability = np.where(discs((30, 30)), 0.7, 0.1).astype(np.float32)
    probability[discs((60, 100))] = 0.9
    found = split_instances(probability, size, "part")
    assert [segment.mask for segment in found] == [
        Mask.from_array(discs((60, 100))),
        Mask.from_array(discs((30, 30))),
    ]
    assert [segment.score for segment in found] == pytest.approx([0.9, 0.7])
    assert {segment.label for segment in found} == {"part"}


def test_specks_fall_and_small_holes_close() -> None:
    size = ObjectSize.of([Mask.from_array(discs((30, 30)))])
    full = discs((30, 30))
    full[29:31, 29:31] = False
    full[80, 130] = True
    (only,) = split_instances(full.astype(np.float32), size, "part")
    assert only.mask == Mask.from_array(discs((30, 30)))


def test_touching_objects_of_one_size_are_parted() -> None:
    size = ObjectSize.of([Mask.from_array(discs((25, 25), (70, 110)))])
    touching = discs((50, 40), (50, 62), (50, 84)).astype(np.float32)
    found = split_instances(touching, size, "part")
    assert len(found) == 3
    assert sum(segment.mask.area for segment in found) > 0.98 * touching.sum()


def test_a_bridge_between_parted_objects_falls() -> None:
    size = ObjectSize.of([Mask.from_array(discs((25, 25), (70, 110)))])
    pair = discs((50, 40), (50, 75))
    bridged = pair.copy()
    bridged[48:52, 40:75] = True
    found = split_instances(bridged.astype(np.float32), size, "part")
    assert len(found) == 2
    kept = np.any([segment.mask.to_array() for segment in found], axis=0)
    assert (kept & ~pair).sum() < 0.3 * (bridged & ~pair).sum()
    assert (kept & pair).sum() > 0.97 * pair.sum()


def test_thickness_tells_discs_from_bars() -> None:
    assert ObjectSize.of([Mask.from_array(discs((50, 50)))]).thickness == pytest.approx(0.56, abs=0.03)
    bar = np.zeros(SIZE, dtype=bool)
    bar[40:46, 10:130] = True
    assert ObjectSize.of([Mask.from_array(bar)]).thickness < 0.2


def test_a_weak_map_still_gives_its_best_guess() -> None:
    size = ObjectSize.of([Mask.from_array(discs((30, 30)))])
    weak = np.full(SIZE, 0.05, np.float32)
    weak[discs((60, 100), radius=2)] = 0.4
    (only,) = split_instances(weak, size, "part")
    assert only.mask == Mask.from_array(discs((60, 100), radius=2))
    (whole,) = whole_object(weak, "part")
    assert whole.mask == only.mask


def test_an_empty_map_gives_nothing() -> None:
    size = ObjectSize.of([Mask.from_array(discs((30, 30)))])
    assert split_instances(np.zeros(SIZE, np.float32), size, "part") == []
    assert whole_object(np.zeros(SIZE, np.float32), "part") == []
    assert mean_inside(np.ones(SIZE, np.float32), Mask.empty(SIZE)) == 0.0
