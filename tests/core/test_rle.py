from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pycocotools import mask as codec

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.rle import MAX_PIXELS, parse_counts

bitmaps = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))


def runs_of(full: NDArray[np.bool_]) -> list[int]:
    flat = full.ravel(order="F").astype(int)
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends, flat.size]).tolist()
    return [0, *runs] if flat[0] else runs


@given(bitmaps)
def test_encoding_is_that_of_pycocotools(full: NDArray[np.bool_]) -> None:
    theirs = codec.encode(np.asfortranarray(full.astype(np.uint8)))
    ours = Mask.from_array(full).to_rle()
    assert ours == {"size": list(full.shape), "counts": theirs["counts"].decode()}


@given(bitmaps)
def test_every_form_of_run_lengths_decodes(full: NDArray[np.bool_]) -> None:
    mask = Mask.from_array(full)
    rle = mask.to_rle()
    assert Mask.from_rle(rle) == mask
    assert Mask.from_rle({**rle, "counts": rle["counts"].encode()}) == mask
    assert Mask.from_rle({**rle, "counts": runs_of(full)}) == mask


def test_long_runs_and_negative_differences() -> None:
    full = np.zeros((700, 900), dtype=bool)
    full[:, 0] = full[3:690, 400:405] = full[5, 890] = True
    rle = Mask.from_array(full).to_rle()
    assert parse_counts(rle["counts"]) == runs_of(full)
    assert np.array_equal(Mask.from_rle(rle).to_array(), codec.decode(rle).astype(bool))


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=30))
def test_any_text_decodes_or_is_refused(text: str) -> None:
    try:
        mask = Mask.from_rle({"size": [5, 7], "counts": text})
    except InputError:
        return
    assert mask.size == (5, 7)


@pytest.mark.parametrize(
    "rle",
    [
        {},
        {"size": [2, 2]},
        {"size": [2, 2], "counts": None},
        {"size": [2, 2], "counts": [1.5, 2.5]},
        {"size": [2, 2], "counts": [3]},
        {"size": [2, 2], "counts": [6, -2]},
        {"size": [2, 2], "counts": [10**30]},
        {"size": [2, 2], "counts": "P"},
        {"size": [2, 2], "counts": "\u00e9"},
        {"size": [0, 2], "counts": [0]},
        {"size": [2], "counts": [2]},
        {"size": [True, 2], "counts": [2]},
        {"size": [MAX_PIXELS, 2], "counts": [2 * MAX_PIXELS]},
        {"size": "22", "counts": [4]},
    ],
)
def test_damaged_run_lengths_are_refused(rle: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Mask.from_rle(rle)
