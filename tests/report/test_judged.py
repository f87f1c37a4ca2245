import numpy as np

from kiridashi.core.adapters.overlay import colours
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.episodes import Example
from kiridashi.report.judged import judged, marked


def test_too_much_missing_and_right_have_colours_of_their_own() -> None:
    grey = np.full((30, 60, 3), 128, np.uint8)
    true, found, ignore = (np.zeros((30, 60), dtype=bool) for _ in range(3))
    true[:, 20:40] = True
    found[:, 30:60] = True
    ignore[:, 50:] = True
    example = Example(Picture(grey), Mask.from_array(true), Mask.from_array(ignore))
    seen = judged(example, Mask.from_array(found))
    too_much, missing, right = (np.array(colour) - 128 for colour in colours(3))
    for x, colour in ((45, too_much), (25, missing), (35, right)):
        change = seen[15, x].astype(int) - 128
        assert (np.sign(change) == np.sign(colour)).all()
        assert np.abs(change).max() > 20
    # Outside of all, and where nothing counts, the picture stays.
    assert (seen[15, 5] == 128).all()
    assert (seen[15, 58] == 128).all()


def test_a_mask_is_outlined() -> None:
    grey = np.full((40, 40, 3), 128, np.uint8)
    mask = np.zeros((40, 40), dtype=bool)
    mask[10:30, 10:30] = True
    seen = marked(Picture(grey), Mask.from_array(mask))
    assert (seen[2, 2] == 128).all()
    assert (seen[20, 20] != 128).any()
