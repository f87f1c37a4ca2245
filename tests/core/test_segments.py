import numpy as np
import pytest

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments, Verdict


def square(x: int, y: int, side: int = 3) -> Mask:
    full = np.zeros((10, 12), dtype=bool)
    full[y : y + side, x : x + side] = True
    return Mask.from_array(full)


def result() -> Segments:
    items = (Segment(square(0, 0), 0.9, "a"), Segment(square(2, 2), 0.5, "b"))
    return Segments((10, 12), items, Verdict(True, 0.8, 0.5))


def test_it_is_a_sequence_of_segments() -> None:
    segments = result()
    assert len(segments) == 2
    assert segments[0].label == "a"
    assert [segment.label for segment in segments[1:]] == ["b"]
    assert [segment.score for segment in segments] == [0.9, 0.5]
    assert segments.scores.tolist() == [0.9, 0.5]


def test_union_covers_all_objects() -> None:
    expected = square(0, 0).to_array() | square(2, 2).to_array()
    assert np.array_equal(result().union().to_array(), expected)


def test_nothing_found() -> None:
    empty = Segments((10, 12))
    assert not empty
    assert empty.scores.shape == (0,)
    assert empty.union().is_empty


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="size"):
        Segments((10, 13), result().items)


def test_provenance_cannot_be_changed_by_default() -> None:
    with pytest.raises(TypeError):
        result().provenance["method"] = "other"  # type: ignore[index]


def test_what_is_doubtful_is_not_counted() -> None:
    doubtful = (Segment(square(6, 6), 0.3, "a"),)
    segments = Segments((10, 12), result().items, doubtful=doubtful)
    assert len(segments) == 2
    assert segments.union() == result().union()
    with pytest.raises(InputError, match=r"\(10, 12\)"):
        Segments((9, 9), (), doubtful=doubtful)
