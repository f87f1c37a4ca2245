import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.evaluate.wsol.answers import WsolAnswer
from kiridashi.evaluate.wsol.baselines import BASELINES
from kiridashi.evaluate.wsol.lines import Line
from kiridashi.evaluate.wsol.run import Plan, run
from kiridashi.evaluate.wsol.sources import open_set
from kiridashi.evaluate.wsol.splits import Splitting

MakePlan = Callable[..., Plan]


@pytest.fixture
def plan(animals: Path, tmp_path: Path, lessons: Any) -> MakePlan:
    """plan(seeds=(0,), names=None, splitting=..., **methods): of the tiny animals."""

    def make(
        names: tuple[str, ...] = (), seeds: tuple[int, ...] = (0,), data: Path = animals, **methods: Any
    ) -> Plan:
        return Plan(
            [open_set(data)],
            names or tuple(methods),
            lessons(methods),
            BASELINES,
            tmp_path / "models",
            Splitting(folds=3),
            seeds,
            None,
        )

    return make


def test_every_question_gets_every_method(plan: MakePlan, bright: Any, store: Any) -> None:
    made = plan(("bright", "whole", "centre"), bright=bright())
    steps: list[int] = []
    run(made, store, step=lambda: steps.append(1))
    # Four val pictures to tune on and four test pictures.
    assert len(steps) == len(store.lines) == 3 * 8
    assert list(store.lines) == made.keys()
    assert made.pending(store) == 0
    assert all(line.error is None for line in store.lines.values())


def test_what_learns_sees_labels_alone_and_only_of_train(plan: MakePlan, bright: Any, store: Any) -> None:
    made = plan(seeds=(0, 7), bright=bright())
    run(made, store)
    assert [lesson.seed for lesson in made.teach.seen] == [0, 7]  # type: ignore[attr-defined]
    for lesson in made.teach.seen:  # type: ignore[attr-defined]
        assert {one.id for one in lesson.pictures} == {f"train{n}" for n in range(10)}
        assert lesson.classes == ("cat", "dog")
        assert {name for one in lesson.pictures for name in vars(one)} == {"id", "path", "labels"}
    assert len({lesson.folder for lesson in made.teach.seen}) == 2  # type: ignore[attr-defined]


def test_the_true_class_is_given(plan: MakePlan, bright: Any, store: Any) -> None:
    method = bright()
    run(plan(bright=method), store)
    assert dict(method.asked)["val0.png"] == 0
    assert dict(method.asked)["val1.png"] == 1


def test_baselines_need_no_lesson(plan: MakePlan, store: Any) -> None:
    made = plan(("whole", "centre"))
    run(made, store)
    assert made.teach.seen == []  # type: ignore[attr-defined]
    scores = [line.score for key, line in store.lines.items() if key.method == "whole"]
    # 64 of 600 pixels.
    assert [score.own_iou for score in scores] == [pytest.approx(64 / 600)] * 8
    assert all(score.rank is None and score.curves is None for score in scores)


def test_the_centre_is_in_the_middle() -> None:
    answer = BASELINES["centre"].answer(Picture(np.zeros((20, 40, 3), np.uint8)), 0)
    assert answer.boxes[0] == pytest.approx((6, 3, 34, 17))
    assert answer.map is not None
    # Of 56 x 56 one of the four in the middle.
    assert answer.map[27, 27] == answer.map.max()


def test_finished_lines_are_not_made_again(plan: MakePlan, bright: Any, store: Any) -> None:
    run(plan(bright=bright()), store)
    again = plan(("bright", "whole"), bright=bright())
    assert again.pending(store) == 8
    run(again, store)
    # Only the baseline was missing, so nothing was learned.
    assert again.teach.seen == []  # type: ignore[attr-defined]
    assert len(store.lines) == 16


def test_a_changed_set_is_asked_again(plan: MakePlan, bright: Any, store: Any, animals: Path) -> None:
    run(plan(bright=bright()), store)
    (animals / "masks" / "train0.png").unlink()
    assert plan(bright=bright()).pending(store) == 8


def test_lines_survive_the_disk(plan: MakePlan, bright: Any, decides: Any, store: Any, tiles: Path) -> None:
    run(plan(bright=bright(), decides=decides), store)
    run(plan(data=tiles, bright=bright()), store)
    for line in store.lines.values():
        again = Line.from_json(line.to_json())
        assert again.to_json() == line.to_json()
        assert again.is_of(line.data)
    broken = line.to_json()
    del broken["curves"]
    broken["label"] = "cat"
    with pytest.raises(InputError, match=r"results\.jsonl"):
        Line.from_json(broken)


def test_pictures_of_nothing_keep_their_score_alone(
    plan: MakePlan, bright: Any, store: Any, tiles: Path
) -> None:
    made = plan(data=tiles, bright=bright())
    run(made, store)
    empty = [line for key, line in store.lines.items() if not key.label]
    assert [line.key.picture for line in empty if line.key.part == "test"] == [
        line.key.picture for line in empty
    ]
    assert {line.key.picture for line in empty} == {"t10", "t11"}
    assert all(line.score is None and line.surest == pytest.approx(0.2) for line in empty)
    assert [lesson.folder.name for lesson in made.teach.seen] == [  # type: ignore[attr-defined]
        "seed0-fold0",
        "seed0-fold1",
        "seed0-fold2",
    ]


def test_one_failure_leaves_the_others(plan: MakePlan, bright: Any, store: Any, animals: Path) -> None:
    (animals / "images" / "test3.png").write_bytes(b"no picture")
    made = plan(bright=bright(refuses="test1"), other=bright())
    run(made, store)
    failed = {(key.picture, key.method): line.error for key, line in store.lines.items() if line.error}
    assert set(failed) == {("test1", "bright"), ("test3", "bright"), ("test3", "other")}
    assert failed["test1", "bright"] == "unexpected RuntimeError: nobody expected this"
    assert "test3.png" in failed["test3", "other"]
    # What failed is tried again.
    assert plan(bright=bright(), other=bright()).pending(store) == 3
    with pytest.raises(RuntimeError):
        run(made, store, debug=True)


class Odd:
    def answer(self, picture: Picture, given: int, /) -> WsolAnswer:
        return WsolAnswer(np.zeros(5, np.float32), np.zeros((2, 2), np.float32))


def test_what_would_fail_everywhere_ends_the_run(plan: MakePlan, bright: Any, store: Any) -> None:
    with pytest.raises(UsageError, match="gives 5 scores, the set has 2 classes"):
        run(plan(odd=Odd()), store)
    with pytest.raises(UsageError, match="no method named 'ghost'"):
        run(plan(("ghost",), bright=bright()), store)
    assert store.lines == {}
    for names, seeds in ((("a", "a"), (0,)), (("a",), ()), (("a",), (1, 1))):
        with pytest.raises(UsageError, match="all different"):
            plan(names, seeds)


def test_a_class_without_a_picture_to_learn_from_is_not_asked_for(
    plan: MakePlan, store: Any, animals: Path
) -> None:
    content = json.loads((animals / "meta.json").read_text())
    content["items"] = [one for one in content["items"] if one["split"] != "train" or one["label"] != "dog"]
    (animals / "meta.json").write_text(json.dumps(content))
    made = plan(("whole",))
    run(made, store)
    assert made.trials[0].classes == ("cat",)
    assert {key.label for key in store.lines} == {"cat"}
    assert all(line.error is None for line in store.lines.values())
    assert made.trials[0].notes.endswith("not asked for, no picture to learn from: dog")
