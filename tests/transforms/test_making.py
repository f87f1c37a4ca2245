import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.transforms.drawings import SIZE, drawn

from kiridashi.core.errors import UsageError
from kiridashi.data.masks import read_label_map, write_label_map
from kiridashi.data.pictures import read_picture, write_picture
from kiridashi.evaluate.clips import find_clips
from kiridashi.evaluate.vos.sets import open_set
from kiridashi.transforms import Choice
from kiridashi.transforms.frame import Labels
from kiridashi.transforms.making import Plan, begin, make

CUT, SPEED = Choice("cut", 2), Choice("speed", 1)
LENGTH = 16


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two clips, the second one brighter."""
    for number, name in enumerate(("one", "two")):
        for index in range(LENGTH):
            frame = drawn(index)
            pixels = np.maximum(frame.pixels, np.uint8(60 * number))
            write_picture(tmp_path / "set" / name / "frames" / f"{index:05d}.png", pixels)
            write_label_map(tmp_path / "set" / name / "masks" / f"{index:05d}.png", frame.labels)
    return tmp_path / "set"


def plan_of(clips: Path, *choices: Choice, seed: int = 0, suffix: str = "png") -> Plan:
    return Plan(open_set(clips), choices or (CUT, SPEED), clips.parent / "out", seed, suffix)


def test_sets_are_of_the_layout_of_their_source(clips: Path) -> None:
    plan = plan_of(clips)
    steps: list[int] = []
    assert make(plan, begin(plan), step=lambda: steps.append(1), debug=True) == []
    assert len(steps) == 4
    assert sorted(path.name for path in plan.out.iterdir()) == ["cut-2", "speed-1"]
    one, two = find_clips(plan.out / "speed-1")
    assert (one.name, two.name, len(one)) == ("one", "two", LENGTH // 2)
    for index, (path, mask) in enumerate(zip(one.frames, one.masks, strict=True)):
        np.testing.assert_array_equal(read_picture(path).pixels, drawn(2 * index).pixels)
        np.testing.assert_array_equal(read_label_map(mask), drawn(2 * index).labels)


def test_other_scenes_come_from_the_next_clip(clips: Path) -> None:
    plan = plan_of(clips, CUT)
    make(plan, begin(plan), debug=True)
    meta = json.loads((plan.out / "cut-2" / "meta.json").read_text())
    one, two = meta["items"]
    assert meta["transformation"]["family"] == "T2"
    assert (one["seq"], one["donor"], one["objects"], one["frames"]) == ("one", "two", [1, 2], LENGTH)
    assert (two["donor"], two["seed"]) == ("one", 0)
    away = [index for index, source in enumerate(one["sources"]) if source is None]
    assert one["frames_without_objects"] == len(away) == 4
    clip = find_clips(plan.out / "cut-2")[0]
    for index in range(LENGTH):
        darkest = read_picture(clip.frames[index]).pixels.min()
        assert darkest == (60 if index in away else 0)
        assert read_label_map(clip.masks[index]).any() == (index not in away)


def test_a_single_clip_is_cut_to_a_drawn_scene(clips: Path) -> None:
    plan = Plan(open_set(clips / "one"), [CUT], clips.parent / "out")
    make(plan, begin(plan), debug=True)
    (item,) = json.loads((plan.out / "cut-2" / "meta.json").read_text())["items"]
    assert (item["donor"], item["frames_without_objects"]) == (None, 4)


def test_occlusions_keep_the_amodal_labels(clips: Path) -> None:
    plan = plan_of(clips, Choice("occlusion", 4))
    make(plan, begin(plan), debug=True)
    clip = find_clips(plan.out / "occlusion-4")[0]
    visible = [read_label_map(path) for path in clip.masks]
    amodal = [read_label_map(path.parents[1] / "amodal" / path.name) for path in clip.masks]
    for index, (seen, whole) in enumerate(zip(visible, amodal, strict=True)):
        np.testing.assert_array_equal(whole, drawn(index).labels)
        assert ((seen == whole) | (seen == 0)).all()
    assert any((seen != whole).any() for seen, whole in zip(visible, amodal, strict=True))


def test_jpeg_is_near_enough(clips: Path) -> None:
    plan = plan_of(clips, Choice("identity"), suffix="jpg")
    make(plan, begin(plan), debug=True)
    clip = find_clips(plan.out / "identity")[0]
    assert clip.frames[0].suffix == ".jpg"
    difference = read_picture(clip.frames[3]).pixels.astype(int) - drawn(3).pixels
    assert np.abs(difference).mean() < 3


def test_what_is_there_is_kept(clips: Path) -> None:
    plan = plan_of(clips)
    make(plan, begin(plan))
    with pytest.raises(UsageError, match="--resume"):
        begin(plan)
    assert begin(plan, resume=True) == []
    assert len(begin(plan, overwrite=True)) == 4
    more = plan_of(clips, CUT, Choice("identity"))
    assert [task.choice.folder for task in begin(more, resume=True)] == ["identity", "identity"]
    with pytest.raises(UsageError, match="contradict"):
        begin(plan, resume=True, overwrite=True)


def test_what_has_changed_is_made_again(clips: Path) -> None:
    plan = plan_of(clips, SPEED)
    make(plan, begin(plan))
    assert len(begin(plan_of(clips, SPEED, seed=1), resume=True)) == 2
    assert len(begin(plan_of(clips, SPEED, suffix="jpg"), resume=True)) == 2
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(clips / "two" / "frames" / "00003.png")
    pending = begin(plan, resume=True)
    # Clip one depends on it too: it is where its other scenes would come from.
    assert [task.clip.name for task in pending] == ["one", "two"]
    (clips / "two" / "frames" / "00015.png").unlink()
    (clips / "two" / "masks" / "00015.png").unlink()
    shorter = plan_of(clips, SPEED)
    make(shorter, begin(shorter, resume=True))
    assert [len(clip) for clip in find_clips(plan.out / "speed-1")] == [8, 8]


def test_seeds_differ_from_clip_to_clip(clips: Path) -> None:
    plan = plan_of(clips, Choice("viewpoint", 3))
    make(plan, begin(plan))
    one, two = find_clips(plan.out / "viewpoint-3")
    assert (read_label_map(one.masks[9]) != read_label_map(two.masks[9])).any()


def test_a_clip_that_fails_leaves_nothing(clips: Path) -> None:
    (clips / "two" / "frames" / "00009.png").write_bytes(b"no picture")
    plan = plan_of(clips, SPEED, Choice("identity"))
    failures = make(plan, begin(plan))
    assert [(one.set, one.clip) for one in failures] == [("speed-1", "two"), ("identity", "two")]
    assert "00009.png" in failures[0].error
    assert sorted(path.name for path in plan.out.rglob("*two*")) == []
    assert [clip.name for clip in find_clips(plan.out / "speed-1")] == ["one"]
    assert [task.clip.name for task in begin(plan, resume=True)] == ["two", "two"]


def test_a_kill_leaves_whole_clips(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(clips, SPEED)
    calls: list[int] = []

    def write(path: Path, labels: Labels) -> None:
        calls.append(1)
        if len(calls) > LENGTH // 2 + 3:
            raise KeyboardInterrupt
        write_label_map(path, labels)

    monkeypatch.setattr("kiridashi.transforms.making.write_label_map", write)
    with pytest.raises(KeyboardInterrupt):
        make(plan, begin(plan))
    assert [clip.name for clip in find_clips(plan.out / "speed-1")] == ["one"]
    # What a kill without a chance to tidy up would leave.
    (plan.out / ".part-speed-1-two" / "frames").mkdir(parents=True)
    assert [task.clip.name for task in begin(plan, resume=True)] == ["two"]
    assert not list(plan.out.glob(".part-*"))


def test_a_defect_is_told_and_shown_on_demand(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiridashi.transforms.making.write_label_map", lambda *_: 1 / 0)
    plan = plan_of(clips, SPEED)
    failures = make(plan, begin(plan))
    assert "unexpected ZeroDivisionError" in failures[0].error
    with pytest.raises(ZeroDivisionError):
        make(plan, begin(plan), debug=True)


def test_folders_of_others_are_left_alone(clips: Path) -> None:
    theirs = clips.parent / "out" / "cut-2" / "one"
    theirs.mkdir(parents=True)
    (theirs / "clip.json").write_text("[]")
    with pytest.raises(UsageError, match="not made by this command"):
        begin(plan_of(clips), overwrite=True)
    assert (theirs / "clip.json").is_file()


def test_plans_that_make_no_sense_are_refused(clips: Path) -> None:
    source = open_set(clips)
    for choices, out, suffix in (
        ([], clips / "out", "jpg"),
        ([CUT, CUT], clips / "out", "jpg"),
        ([CUT], clips, "jpg"),
        ([CUT], clips / "out", "gif"),
    ):
        with pytest.raises(UsageError):
            Plan(source, choices, out, 0, suffix)
    (clips.parent / "out").write_text("a file")
    with pytest.raises(UsageError, match="this is a file"):
        begin(plan_of(clips))
