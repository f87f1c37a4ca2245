import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluate.pictures.discs import Discs

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.pictures.drawing import draw, left_out
from kiridashi.evaluate.pictures.sets import ANY, together

SOURCE = Discs()


@given(st.integers(0, 50), st.integers(0, 3))
def test_no_shot_is_measured_and_everything_else_is(seed: int, negatives: int) -> None:
    for one in draw(SOURCE, (1, 3), (seed,), negatives=negatives):
        shots = {*one.supports, *one.negatives}
        assert not shots & {*one.present, *one.absent}
        # Those of the largest number of shots are measured at no number of shots.
        most = 3
        assert len(one.present) == len(SOURCE.classes[one.label]) - most
        assert len(one.negatives) == negatives
        assert {*one.absent, *one.negatives} == set(SOURCE.without(one.label))


def test_fewer_shots_are_part_of_more_and_are_asked_the_same() -> None:
    few, many = (one for one in draw(SOURCE, (1, 5), (3,)) if one.label == "red")
    assert many.supports[:1] == few.supports
    assert many.targets == few.targets


def test_seeds_draw_differently_and_alike_again() -> None:
    drawn = draw(SOURCE, (2,), (0, 1, 2))
    assert drawn == draw(SOURCE, (2,), (0, 1, 2))
    assert len({one.supports for one in drawn if one.label == "red"}) > 1


def test_a_limit_takes_a_part_of_the_whole() -> None:
    (whole, _), (part, _) = draw(SOURCE, (1,), (0,)), draw(SOURCE, (1,), (0,), most=2)
    assert part.present == whole.present[:2]
    assert part.absent == whole.absent[:2]


def test_a_class_with_too_few_pictures_is_left_out_for_those_shots() -> None:
    drawn = draw(SOURCE, (1, 5), (0,))
    assert [(one.label, one.shots) for one in drawn] == [("red", 1), ("red", 5), ("blue", 1)]
    assert left_out(SOURCE, (1, 5)) == {"blue": (5,)}
    with pytest.raises(UsageError, match="needs a class with 22 pictures"):
        draw(SOURCE, (20,), (0,))


@pytest.mark.parametrize(
    ("shots", "seeds"), [((), (0,)), ((0,), (0,)), ((1, 1), (0,)), ((1,), ()), ((1,), (-1,))]
)
def test_wrong_numbers_are_refused(shots: tuple[int, ...], seeds: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="expected different numbers"):
        draw(SOURCE, shots, seeds)
    with pytest.raises(UsageError, match="at least 2"):
        draw(SOURCE, (1,), (0,), most=1)


def test_classes_together_are_one() -> None:
    joined = together(SOURCE)
    assert set(joined.classes[ANY]) == {*SOURCE.classes["red"], *SOURCE.classes["blue"]}
    assert joined.without(ANY) == SOURCE.bare
    assert (joined.name, joined.fingerprint) == (SOURCE.name, SOURCE.fingerprint)
    assert joined.read("blue1", ANY).mask == SOURCE.read("blue1", "blue").mask
    assert joined.read("bare1", ANY).mask.is_empty
