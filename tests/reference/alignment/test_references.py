from collections.abc import Callable

import numpy as np
import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.reference.alignment.references import in_order, reference_digest


def test_the_order_is_that_of_the_content(disc_site: Callable[..., Reference]) -> None:
    shown = [disc_site(seed) for seed in range(4)]
    forth, back = in_order(shown), in_order(shown[::-1])
    assert forth == back
    assert {digest for digest, _ in forth} == {reference_digest(one) for one in shown}


def test_names_do_not_count_and_pixels_do(disc_site: Callable[..., Reference]) -> None:
    one = disc_site(0)
    renamed = Reference(Picture(one.picture.pixels, "other"), one.mask)
    assert reference_digest(renamed) == reference_digest(one)
    moved = Reference(one.picture, Mask.from_array(np.roll(one.mask.to_array(), 1, axis=1)))
    assert reference_digest(moved) != reference_digest(one)
    assert reference_digest(disc_site(1)) != reference_digest(one)


def test_no_reference_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one reference"):
        in_order([])


@pytest.mark.parametrize("holes", [0, 10])
def test_a_mask_without_surroundings_is_refused(make_picture: Callable[..., Picture], holes: int) -> None:
    full = np.ones((48, 64), dtype=bool)
    full.ravel()[:holes] = False
    with pytest.raises(InputError, match=r"^close-up: .*covers .*mark the object only"):
        in_order([Reference(make_picture(name="close-up"), Mask.from_array(full))])


def test_an_empty_mask_is_refused(disc_site: Callable[..., Reference]) -> None:
    """`Reference` refuses it first; one that was made past that check must not slip through."""
    reference = disc_site(0)
    object.__setattr__(reference, "mask", Mask.empty(reference.picture.size))
    with pytest.raises(InputError, match="mark at least one pixel"):
        in_order([reference])
