import numpy as np
import pytest

from kiridashi.core.adapters.label_map import label_map
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments


def test_the_best_lies_on_top() -> None:
    left, all_of_it = np.zeros((4, 6), bool), np.ones((4, 6), bool)
    left[:, :3] = True
    items = (Segment(Mask.from_array(left), 0.9, "a"), Segment(Mask.from_array(all_of_it), 0.5, "b"))
    numbers = label_map(Segments((4, 6), items))
    assert numbers.dtype == np.uint16
    assert np.array_equal(numbers, np.where(left, 1, 2))


def test_nothing_found_is_all_background() -> None:
    assert not label_map(Segments((4, 6))).any()


def test_more_objects_than_numbers_are_refused() -> None:
    segment = Segment(Mask.empty((1, 1)), 0.1, "a")
    with pytest.raises(UsageError, match="65536"):
        label_map(Segments((1, 1), (segment,) * 65_536))
