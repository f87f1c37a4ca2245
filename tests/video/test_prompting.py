import numpy as np
import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.prompt import Prompt
from kiridashi.video.prompting import Plan, drop_lists, gather

FULL = Mask.from_array(np.ones((10, 20), bool))


def test_points_and_box_of_one_object_are_one_prompt() -> None:
    prompts = gather(
        [(5, 3, FULL)],
        [(0, 1, (2.0, 3.0, 1)), (0, 1, (9.0, 3.0, 0)), (5, 1, (1.0, 1.0, 0))],
        [(0, 1, (1.0, 1.0, 8.0, 8.0)), (0, 2, (4.0, 4.0, 6.0, 6.0))],
    )
    assert list(prompts) == [0, 5]
    first = prompts[0][1]
    assert isinstance(first, Prompt)
    assert first.points == ((2.0, 3.0, 1), (9.0, 3.0, 0))
    assert first.box == (1.0, 1.0, 8.0, 8.0)
    assert set(prompts[0]) == {1, 2}
    assert prompts[5][3] is FULL
    assert set(prompts[5]) == {1, 3}


def test_prompts_that_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="two boxes"):
        gather([], [], [(0, 1, (1, 1, 2, 2)), (0, 1, (1, 1, 3, 3))])
    with pytest.raises(UsageError, match="a mask and another prompt"):
        gather([(0, 1, FULL)], [(0, 1, (1, 1, 1))], [])
    with pytest.raises(UsageError, match="a mask and another prompt"):
        gather([(0, 1, FULL), (0, 1, FULL)], [], [])


def test_a_plan_has_prompts_or_a_finder() -> None:
    with pytest.raises(UsageError, match="no object to follow"):
        Plan()
    with pytest.raises(UsageError, match="not both"):
        Plan({0: {1: FULL}}, {}, lambda picture: {})
    assert Plan({0: {1: FULL}, 9: {2: FULL}}).last_frame == 9


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Prompt(points=((20, 3, 1),)), "point 20,3 is outside of frames of 20 x 10"),
        (Prompt(box=(-5, 1, 0, 4)), "outside of frames of 20 x 10"),
        (Mask.empty((4, 4)), "4 x 4 pixels, the frames 20 x 10"),
    ],
)
def test_prompts_lie_in_the_frames(given: Prompt | Mask, says: str) -> None:
    with pytest.raises((UsageError, InputError), match=says):
        Plan({3: {2: given}}).check((10, 20))
    Plan({3: {2: FULL}}).check((10, 20))


def test_drops_by_frame() -> None:
    assert drop_lists([(4, 1), (9, 2), (4, 3)]) == {4: (1, 3), 9: (2,)}
