import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.localize.boxes import box_of


def mask(*rectangles: tuple[int, int, int, int]) -> Mask:
    full = np.zeros((40, 60), bool)
    for x0, y0, x1, y1 in rectangles:
        full[y0:y1, x0:x1] = True
    return Mask.from_array(full)


def test_specks_have_no_say_in_the_published_box() -> None:
    spotted = mask((10, 10, 20, 18), (50, 30, 53, 33))
    assert box_of(spotted, "mask") == (10, 10, 53, 33)
    assert box_of(spotted, "closed") == (10, 10, 20, 18)


def test_all_larger_parts_are_in_the_published_box() -> None:
    assert box_of(mask((10, 10, 20, 18), (50, 30, 55, 33)), "closed") == (10, 10, 55, 33)


def test_closing_joins_what_is_a_pixel_apart() -> None:
    dashes = [(10 + 3 * step, 5, 12 + 3 * step, 7) for step in range(4)]
    assert box_of(mask(*dashes), "closed") == (10, 5, 21, 7)


def test_without_a_larger_part_the_published_box_is_the_picture() -> None:
    assert box_of(mask((3, 3, 5, 5)), "closed") == (0, 0, 60, 40)
    assert box_of(Mask.empty((40, 60)), "closed") == (0, 0, 60, 40)


def test_masks_at_the_border_keep_their_box() -> None:
    assert box_of(mask((0, 0, 8, 8)), "closed") == (0, 0, 8, 8)
    assert box_of(mask((0, 0, 60, 40)), "closed") == (0, 0, 60, 40)
