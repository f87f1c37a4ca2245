"""The rules on figures that were made up, each at its limit."""

from dataclasses import replace

import pytest

from kiridashi.models.observing import Point, Stage
from kiridashi.report.diagnosis.lines import (
    CLEAN,
    SELF_TEST,
    TRANSFORMATION,
    TRIED,
    FrameFigures,
    Key,
    Line,
    StageFigures,
)
from kiridashi.video.diagnosis import rules
from kiridashi.video.diagnosis.rules import RULES, judge

GRID = 1024
MATCHING = (
    Stage("encoder", Point.ENCODER),
    Stage("vote", Point.MEMORY),
    Stage("decoder", Point.DECODER),
    Stage("tokens", Point.DECODER, is_map=False),
    Stage("pointer", Point.POINTER, is_map=False),
    Stage("written", Point.WRITTEN, holds_share=True),
)
ATTENDING = (MATCHING[0], Stage("memory-1", Point.MEMORY), *MATCHING[2:5], Stage("written", Point.WRITTEN))
SOUND = {
    "encoder": StageFigures(probe=1.0),
    "vote": StageFigures(probe=1.0, component=1.0),
    "decoder": StageFigures(probe=1.0),
    "tokens": StageFigures(value=5.0, steady=0.98),
    "pointer": StageFigures(value=1.2, steady=0.97),
    "written": StageFigures(value=1.0),
}
FACTS = {"light": 0.5, "change": 0.0, "blur": 0.25, "noise": 2.0, "clipped": 0.0, "alike": 0.98}
FRAME = FrameFigures(
    source=0,
    found=True,
    why="",
    score=0.9,
    area=0.1,
    there=True,
    overlap=0.8,
    truth_area=0.1,
    j=0.9,
    f=0.9,
    distance=0.2,
    prompted=False,
    stages=SOUND,
    facts=FACTS,
)


def line(kind: str, frames: int = 12, **tests: float) -> Line:
    every = tuple(replace(FRAME, source=index, prompted=index == 0) for index in range(frames))
    return Line(Key(kind), every, {"heeding": 0.8, "fitting": 0.85, **tests})


def clip(**changes: object) -> Line:
    """The clip as it is, with every frame after the first three changed."""
    sound = line(CLEAN)
    return replace(sound, frames=(*sound.frames[:3], *(replace(f, **changes) for f in sound.frames[3:])))  # type: ignore[arg-type]


def staged(**changes: StageFigures) -> Line:
    """A self-test with other stages."""
    sound = line(SELF_TEST)
    return replace(sound, frames=tuple(replace(f, stages={**SOUND, **changes}) for f in sound.frames))


def names(*lines: Line, stages: tuple[Stage, ...] = MATCHING) -> list[str]:
    return [one.name for one in judge(lines, stages, GRID).findings]


def test_nothing_is_said_of_what_is_sound() -> None:
    verdict = judge([line(SELF_TEST), line(CLEAN)], MATCHING, GRID)
    assert verdict.main is None
    assert verdict.parted == "encoder"


@pytest.mark.parametrize(
    ("test", "name"),
    [
        (staged(encoder=StageFigures(probe=0.89)), "encoder"),
        (staged(written=StageFigures(value=0.6)), "written"),
        (staged(vote=StageFigures(component=0.6)), "memory"),
        (line(SELF_TEST, heeding=0.1), "decoder"),
        (staged(tokens=StageFigures(value=0.0, steady=1.0)), "frozen"),
        (staged(pointer=StageFigures(value=0.0, steady=1.0)), "pointer"),
        (staged(pointer=StageFigures(value=3.0, steady=0.2)), "wandering"),
    ],
)
def test_a_stage_that_fails_the_self_test(test: Line, name: str) -> None:
    assert names(test, line(CLEAN)) == [name]


def test_the_first_stage_that_fails_is_the_one_at_fault() -> None:
    test = staged(encoder=StageFigures(probe=0.5), vote=StageFigures(component=0.5))
    assert names(replace(test, tests={"heeding": 0.0}), line(CLEAN)) == ["encoder"]


def test_memory_attention_is_at_fault_where_the_decoder_alone_is_right() -> None:
    lost = line(SELF_TEST)
    lost = replace(lost, frames=tuple(replace(frame, j=0.1) for frame in lost.frames))
    assert names(lost, line(CLEAN), stages=ATTENDING) == ["memory"]
    assert names(replace(lost, tests={"heeding": 0.1, "fitting": 0.1}), stages=ATTENDING) == ["decoder"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"facts": FACTS | {"light": 0.05}}, "dark"),
        ({"facts": FACTS | {"noise": 15.0}}, "noise"),
        ({"facts": FACTS | {"blur": 0.5}}, "blur"),
        ({"facts": FACTS | {"alike": 0.5}, "found": False}, "panning"),
        ({"facts": FACTS | {"change": 0.1}}, "drift"),
        ({"overlap": 0.2}, "movement"),
        ({"truth_area": 0.02, "area": 0.02}, "hidden"),
        ({"j": 0.1, "f": 0.1}, "lost"),
    ],
)
def test_what_is_wrong_with_a_clip(changes: dict[str, object], name: str) -> None:
    assert names(line(SELF_TEST), clip(**changes)) == [name]


def test_flicker_goes_up_and_down() -> None:
    sound = line(CLEAN)
    frames = (replace(f, facts=FACTS | {"change": 0.1 * (-1) ** i}) for i, f in enumerate(sound.frames))
    assert names(line(SELF_TEST), replace(sound, frames=tuple(frames))) == ["flicker"]


def test_light_is_compared_between_frames_of_one_place_alone() -> None:
    sound = line(CLEAN)
    turned = (
        replace(f, facts=FACTS | {"change": 0.1 * (-1) ** i, "alike": 0.5})
        for i, f in enumerate(sound.frames)
    )
    assert names(line(SELF_TEST), replace(sound, frames=tuple(turned))) == []


def test_an_object_that_leaves_its_place_altogether_has_moved() -> None:
    assert names(line(SELF_TEST), clip(overlap=0.0)) == ["movement"]
    # Between two frames of which one does not show it, it has no movement.
    sound = line(CLEAN)
    gone = replace(FRAME, there=False, overlap=0.0)
    blinking = tuple(gone if index % 2 else replace(f, overlap=0.0) for index, f in enumerate(sound.frames))
    assert "movement" not in names(line(SELF_TEST), replace(sound, frames=blinking))


def test_a_cut_takes_a_frame_from_elsewhere_and_a_jump() -> None:
    sound = line(CLEAN)
    away = replace(FRAME, distance=0.9, found=False, area=0.0, truth_area=0.0, there=False)
    jump = replace(away, facts=FACTS | {"alike": 0.1})
    frames = (*sound.frames[:6], jump, away, *sound.frames[8:])
    found = judge([line(SELF_TEST), replace(sound, frames=frames)], MATCHING, GRID).findings
    # The object is hidden by the cut alone, which is no second fault.
    assert [one.name for one in found] == ["cut"]
    assert (found[0].figures["frames"], found[0].figures["first"], found[0].figures["back"]) == (2, 6, 0)
    smooth = (*sound.frames[:6], away, away, *sound.frames[8:])
    assert names(line(SELF_TEST), replace(sound, frames=smooth)) == ["hidden"]


def test_a_broken_model_makes_its_tracks_worthless_unless_there_are_true_masks() -> None:
    broken = staged(encoder=StageFigures(probe=0.5))
    gone = clip(area=0.0, truth_area=0.0, found=False)
    assert names(broken, gone) == ["encoder", "hidden"]
    blind = replace(gone, frames=tuple(replace(frame, j=None, f=None) for frame in gone.frames))
    assert names(broken, blind) == ["encoder"]


def test_small_objects_are_counted_in_places() -> None:
    assert names(line(SELF_TEST), clip(area=0.003, truth_area=0.003))[-1] == "small"


def changed(fall: float, **stages: StageFigures) -> Line:
    sound = line(TRANSFORMATION)
    frames = tuple(replace(f, j=0.9 - fall, f=0.9 - fall, stages={**SOUND, **stages}) for f in sound.frames)
    return replace(sound, key=Key(TRANSFORMATION, "cut", 2), frames=frames)


def test_a_transformation_that_costs_much_is_a_weakness_of_its_first_broken_stage() -> None:
    lines = [
        line(SELF_TEST),
        line(CLEAN),
        changed(0.3, vote=StageFigures(probe=0.8), decoder=StageFigures(probe=0.5)),
    ]
    verdict = judge(lines, MATCHING, GRID)
    (weak,) = verdict.weaknesses
    assert (weak.figures["transformation"], weak.figures["severity"], weak.figures["stage"]) == (
        "cut",
        2,
        "vote",
    )
    assert weak.figures["value"] == pytest.approx(0.3)
    assert weak.figures["how"] == "parted"
    assert verdict.main is None
    far = changed(0.3, vote=StageFigures(probe=1.0, inside=2.5))
    (moved,) = judge([line(CLEAN), far], MATCHING, GRID).weaknesses
    assert (moved.figures["stage"], moved.figures["how"]) == ("vote", "moved")
    # Seen from elsewhere everything is in other places.
    turned = replace(far, key=Key(TRANSFORMATION, "viewpoint", 2))
    assert judge([line(CLEAN), turned], MATCHING, GRID).weaknesses[0].figures["how"] == "decision"
    assert judge([line(CLEAN), changed(0.3)], MATCHING, GRID).weaknesses[0].figures["stage"] == "decision"
    assert judge([line(CLEAN), changed(0.1)], MATCHING, GRID).stands == ("cut-2",)


def test_what_changed_nothing_before_the_clip_ended_was_not_tried() -> None:
    lines = [line(CLEAN), replace(changed(0.0), tests={TRIED: 0.0})]
    verdict = judge(lines, MATCHING, GRID)
    assert (verdict.stands, verdict.untried) == ((), ("cut-2",))
    assert verdict.to_json()["untried"] == ["cut-2"]
    verdict = judge([line(CLEAN), replace(changed(0.0), tests={TRIED: 1.0})], MATCHING, GRID)
    assert (verdict.stands, verdict.untried) == (("cut-2",), ())


def test_without_true_masks_the_clean_answer_is_right() -> None:
    blind = line(CLEAN)
    blind = replace(blind, frames=tuple(replace(frame, j=None, f=None) for frame in blind.frames))
    (weak,) = judge([blind, changed(0.3)], MATCHING, GRID).weaknesses
    assert weak.figures["value"] == pytest.approx(0.4)


def test_a_limit_belongs_to_the_side_that_speaks() -> None:
    assert rules.BLUR.finding(rules.BLUR.limit) is not None
    assert rules.DARK.finding(rules.DARK.limit) is None
    assert rules.DARK.finding(None) is None
    told = rules.BLUR.finding(2 * rules.BLUR.limit)
    assert told is not None
    assert told.strength == pytest.approx(2)


def test_the_card_has_the_same_limits() -> None:
    from pathlib import Path

    card = (Path(__file__).parents[3] / "docs" / "methods" / "diagnose.md").read_text(encoding="utf-8")
    for rule in RULES:
        side = "from" if rule.above else "below"
        assert f"| `{rule.name}` | {rule.figure} | {side} {rule.limit:g} |" in card, rule
