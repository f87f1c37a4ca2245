import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.localize.coarse import Look

ZEROS = np.zeros((2, 3), np.float32)


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    scores = np.zeros(4, np.float32)
    Look(scores, ZEROS, np.zeros((4, 2, 3), np.float32))
    with pytest.raises(UsageError, match=r"class maps \(C, h, w\)"):
        Look(scores, ZEROS, np.zeros((4, 3, 2), np.float32))
    with pytest.raises(UsageError, match=r"a map \(h, w\)"):
        Look(scores, ZEROS[0], np.zeros((4, 3), np.float32))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1, 1.1])
def test_values_outside_0_to_1_are_refused(wrong: float) -> None:
    values = ZEROS.copy()
    values[1, 1] = wrong
    with pytest.raises(UsageError, match=r"the map of a look"):
        Look(np.zeros(1, np.float32), values, ZEROS[None])
    with pytest.raises(UsageError, match=r"the class maps of a look"):
        Look(np.zeros(1, np.float32), ZEROS, values[None])


def test_no_class_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one"):
        Look(np.zeros(0, np.float32), ZEROS, np.zeros((0, 2, 3), np.float32))
