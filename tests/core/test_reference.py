from collections.abc import Callable

import pytest

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference


def test_a_mask_of_another_size_is_refused_with_both_sizes(make_picture: Callable[..., Picture]) -> None:
    picture = make_picture((20, 30), name="part.jpg")
    with pytest.raises(SizeMismatchError, match="30 x 20") as caught:
        Reference(picture, Mask.empty((10, 40)))
    assert "40 x 10" in str(caught.value)
    assert "part.jpg" in str(caught.value)
    with pytest.raises(SizeMismatchError):
        Negative(picture, Mask.empty((10, 40)))


def test_an_empty_reference_mask_is_refused(make_picture: Callable[..., Picture]) -> None:
    with pytest.raises(InputError, match="empty"):
        Reference(make_picture((20, 30)), Mask.empty((20, 30)))


def test_negatives_need_no_mask(make_picture: Callable[..., Picture]) -> None:
    assert Negative(make_picture()).mask is None
