from collections.abc import Callable

import numpy as np
import pytest

import prompts
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import PromptableModel
from prompts import Outcome, box_of, filled_box, measure_object, summarise, table, with_clicks

KINDS = ["1 click", "1 click, closer", "1 click, best of 3", *(f"{count} clicks" for count in (2, 3, 4, 5))]
KINDS += ["5 clicks, closer", "box", "box, closer", "box, best of 3", "box, refined"]
KINDS += ["GrabCut, box", "GrabCut, click", "filled box"]


def test_a_box_is_tight_and_its_filling_too() -> None:
    mask = Mask.from_array(np.pad(np.eye(3), ((2, 5), (4, 1))))
    assert box_of(mask).box == (4.0, 2.0, 7.0, 5.0)
    filled = filled_box(mask)
    assert (filled.box, filled.area, filled.size) == (mask.box, 9, mask.size)


def test_every_kind_is_measured_and_grabcut_finds_the_disc(
    tiny_compact: PromptableModel, make_picture: Callable[..., Picture], make_disc: Callable[..., Mask]
) -> None:
    picture, disc = make_picture(), make_disc()
    ignore = np.zeros(picture.size, dtype=bool)
    ious = measure_object(tiny_compact, tiny_compact.encode(picture), picture, disc, ignore)
    assert list(ious) == KINDS
    assert all(0 <= iou <= 1 for iou in ious.values())
    assert ious["GrabCut, box"] > 0.9
    assert ious["filled box"] == pytest.approx(disc.area / disc.bitmap.size)
    for kind in ("1 click", "box"):
        assert ious[f"{kind}, best of 3"] >= ious[kind]


def test_each_round_gets_all_clicks_and_the_mask_before(
    tiny_compact: PromptableModel,
    make_picture: Callable[..., Picture],
    make_disc: Callable[..., Mask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture, truth = make_picture(), make_disc().to_array()
    features, asked = tiny_compact.encode(picture), []
    correct = PromptableModel.correct

    def listen(self, features, prompt, previous, multimask=False):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        asked.append((prompt.points, previous))
        return correct(self, features, prompt, previous, multimask)

    monkeypatch.setattr(PromptableModel, "correct", listen)
    rounds = list(with_clicks(tiny_compact, features, truth, np.zeros_like(truth), clicks=4))
    assert len(rounds) == 4
    assert [len(points) for points, _ in asked] == [2, 3, 4]
    assert asked[2][0][:3] == asked[1][0]
    for (decoded, best, _), (_, previous) in zip(rounds, asked, strict=False):
        assert np.array_equal(decoded.logits[0, best], previous)


def test_a_user_with_nothing_to_correct_stops(
    tiny_compact: PromptableModel, make_picture: Callable[..., Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "next_click", lambda *_: None)
    picture = make_picture()
    truth = np.ones(picture.size, dtype=bool)
    rounds = list(with_clicks(tiny_compact, tiny_compact.encode(picture), truth, ~truth))
    assert len(rounds) == 5
    assert all(decoded is rounds[0][0] for decoded, _, _ in rounds)


def test_leads_are_paired_with_grabcut_from_the_same_prompt() -> None:
    base = dict.fromkeys(KINDS, 0.5)
    outcomes = [
        Outcome("a", "a", 0.1, base | {"box": 0.9, "GrabCut, box": 0.8, "1 click": 0.3}),
        Outcome("b", "b", 0.1, base | {"box": 0.4, "GrabCut, box": 0.3, "1 click": 0.3}),
    ]
    rows = {row["prompt"]: row for row in summarise("some set", outcomes, seed=0)}
    assert list(rows) == KINDS
    for end in ("mean", "low", "high"):
        assert rows["box"]["minus_grabcut"][end] == pytest.approx(0.1)
        assert rows["1 click"]["minus_grabcut"][end] == pytest.approx(-0.2)
    assert rows["box"]["mean_iou"]["mean"] == pytest.approx(0.65)
    assert {kind for kind, row in rows.items() if "minus_grabcut" in row} == {
        "1 click",
        "1 click, closer",
        "box",
        "box, closer",
        "box, refined",
    }
    lines = table(list(rows.values())).splitlines()
    assert len(lines) == 2 + len(KINDS)
    assert "+0.100 [+0.100, +0.100]" in next(line for line in lines if "| box  " in line)


def test_no_objects_give_no_rows() -> None:
    assert summarise("some set", [], seed=0) == []
