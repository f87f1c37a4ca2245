import numpy as np
import pytest

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.baselines.regions import segment_regions


def test_finds_what_has_a_colour_of_its_own_at_any_size() -> None:
    for scale in (4, 12):
        pixels = np.full((80 * scale, 100 * scale, 3), 110, dtype=np.uint8)
        truth = np.zeros(pixels.shape[:2], dtype=bool)
        truth[20 * scale : 50 * scale, 30 * scale : 70 * scale] = True
        pixels[truth] = (30, 140, 200)
        found = segment_regions(Picture(pixels))
        assert max(each.mask.iou(Mask.from_array(truth)) for each in found) > 0.9
        assert list(found.scores) == sorted(found.scores, reverse=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (40, 30)])
def test_an_even_picture_has_no_regions_worth_naming(size: tuple[int, int]) -> None:
    assert len(segment_regions(Picture(np.zeros((*size, 3), dtype=np.uint8)))) == 0


def test_no_region_is_kept_twice() -> None:
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    found = segment_regions(Picture(np.kron(blocks, np.ones((16, 16, 1), dtype=np.uint8))))
    masks = [each.mask for each in found]
    assert len(masks) > 20
    assert all(a.iou(b) < 0.8 for i, a in enumerate(masks) for b in masks[i + 1 :])
