from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.evaluate.vos.maps import SIZE, label_map

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.evaluate.clips import Clip
from kiridashi.evaluate.metrics.boundary import boundary_f
from kiridashi.evaluate.vos.lines import Key, Line, ObjectScore
from kiridashi.evaluate.vos.run import Plan, run
from kiridashi.evaluate.vos.sets import VosSet, open_set
from kiridashi.evaluate.vos.summary import summarise
from kiridashi.evaluate.vos.tables import as_csv, as_markdown, objects_csv
from kiridashi.evaluate.vos.trackers import BASELINES, Follow, Method, saved_method, session_method
from kiridashi.models.promptable import PromptableModel

Labels = NDArray[np.uint8]
SaveClip = Callable[[Path, Sequence[Labels]], Path]
STILL, FLOW = BASELINES["still"], BASELINES["flow"]


class Kept:
    """Lines in memory."""

    def __init__(self) -> None:
        self.lines: dict[Key, Line] = {}

    def get(self, key: Key) -> Line | None:
        return self.lines.get(key)

    def append(self, line: Line) -> None:
        self.lines[line.key] = line


def moving(frames: int = 6, step: int = 2) -> list[Labels]:
    """Two squares, one moving to the right and one at rest."""
    return [label_map((1, 4 + step * index, 4), (2, 40, 30)) for index in range(frames)]


@pytest.fixture
def clips(tmp_path: Path, save_clip: SaveClip) -> VosSet:
    save_clip(tmp_path / "set" / "run", moving())
    save_clip(tmp_path / "set" / "walk", moving(step=1))
    return open_set(tmp_path / "set")


def lines_of(plan: Plan) -> list[Line]:
    kept = Kept()
    run(plan, kept, debug=True)
    return [kept.lines[task.key] for task in plan.tasks()]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_still_mask_by_hand(clips: VosSet, threads: int) -> None:
    run_line, walk_line = lines_of(Plan([clips], [STILL], threads))
    mover, rester = run_line.objects
    assert (mover.label, rester.label) == (1, 2)
    # A square of 12 that has moved by d overlaps by 12 - d of 12 + d columns.
    moved = [2, 4, 6, 8, 10]
    assert mover.j == pytest.approx([(12 - d) / (12 + d) for d in moved])
    assert mover.region.mean == pytest.approx(np.mean([(12 - d) / (12 + d) for d in moved[:-1]]))
    # Moved by 4 it is exactly a half, which does not count.
    assert mover.region.recall == pytest.approx(1 / 4)
    maps = moving()
    assert mover.f == pytest.approx([boundary_f(maps[0] == 1, labels == 1) for labels in maps[1:]])
    assert set(rester.j) == {1.0}
    assert rester.j_and_f == 1.0
    assert walk_line.objects[0].region.mean > mover.region.mean


def test_the_last_frame_does_not_count(tmp_path: Path, save_clip: SaveClip) -> None:
    maps = [*moving(5, 0), label_map((2, 4, 4))]
    (line,) = lines_of(Plan([open_set(save_clip(tmp_path / "run", maps))], [STILL]))
    assert [one.region.mean for one in line.objects] == [1.0, 1.0]
    assert [one.j[-1] for one in line.objects] == [0.0, 0.0]


def test_flow_follows_textured_objects(tmp_path: Path, save_clip: SaveClip) -> None:
    rng = np.random.default_rng(0)
    cloth = rng.integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    folder = save_clip(tmp_path / "run", moving(5))
    for index, labels in enumerate(moving(5)):
        pixels = np.full((*SIZE, 3), 90, dtype=np.uint8)
        pixels[labels == 1] = np.roll(cloth, 2 * index, axis=1)[labels == 1]
        pixels[labels == 2] = cloth[labels == 2]
        Image.fromarray(pixels).save(folder / "frames" / f"{index:05d}.png")
    still, flow = lines_of(Plan([open_set(folder)], [STILL, FLOW]))
    assert flow.objects[0].region.mean > still.objects[0].region.mean + 0.2
    assert flow.objects[1].region.mean > 0.9


def test_the_session_follows_all_objects(clips: VosSet, tiny_compact: PromptableModel) -> None:
    asked: list[tuple[int, ...]] = []
    session = session_method(tiny_compact)

    def start(clip: Clip, picture: Picture, labels: Labels, objects: tuple[int, ...], /) -> Follow:
        asked.append(objects)
        return session.start(clip, picture, labels, objects)

    single = VosSet(clips.name, clips.clips[:1], clips.folder)
    (line,) = lines_of(Plan([single], [Method("session", start, alone=True)]))
    assert asked == [(1, 2)]
    assert [len(one.j) for one in line.objects] == [5, 5]
    assert line.frames_per_second > 0


def test_saved_masks_are_scored_like_any_tracker(clips: VosSet, save_clip: SaveClip, tmp_path: Path) -> None:
    save_clip(tmp_path / "mine" / "run", moving())
    # Without a folder of its own for masks.
    (tmp_path / "mine" / "walk").mkdir()
    for index, labels in enumerate(moving(step=1)):
        Image.fromarray(labels).save(tmp_path / "mine" / "walk" / f"{index:05d}.png")
    lines = lines_of(Plan([clips], [saved_method("mine", tmp_path / "mine")]))
    assert all(one.j_and_f == 1.0 for line in lines for one in line.objects)


def test_saved_masks_of_one_object_may_be_black_and_white(tmp_path: Path, save_clip: SaveClip) -> None:
    maps = [label_map((1, 4 + index, 4)) for index in range(4)]
    source = open_set(save_clip(tmp_path / "run", maps))
    save_clip(tmp_path / "mine" / "run", [labels * 255 for labels in maps])
    (line,) = lines_of(Plan([source], [saved_method("mine", tmp_path / "mine")]))
    assert line.objects[0].j_and_f == 1.0


def test_a_clip_that_fails_does_not_stop_the_others(
    clips: VosSet, tmp_path: Path, save_clip: SaveClip
) -> None:
    folder = tmp_path / "set"
    save_clip(folder / "bare", [label_map()] * 4)
    save_clip(folder / "short", moving(2))
    save_clip(folder / "torn", moving(4))
    (folder / "torn" / "frames" / "00002.png").write_bytes(b"no picture")
    save_clip(tmp_path / "mine" / "run", [label_map((9, 4, 4))] * 6)
    source = open_set(folder)
    kept = Kept()
    plan = Plan([source], [STILL, saved_method("mine", tmp_path / "mine")], threads=2)
    run(plan, kept)
    errors = {key[1:]: line.error for key, line in kept.lines.items() if line.error}
    assert len(kept.lines) == 10
    assert "nothing is marked" in errors["bare", "still"]
    assert "it takes 3" in errors["short", "still"]
    assert "00002.png" in errors["torn", "still"]
    assert "labels [9] are none" in errors["run", "mine"]
    assert "00001.png" in errors["walk", "mine"]
    assert not {("run", "still"), ("walk", "still")} & errors.keys()


def test_frames_of_changing_size(tmp_path: Path, save_clip: SaveClip) -> None:
    folder = save_clip(tmp_path / "run", moving(4))
    Image.fromarray(np.zeros((20, 30, 3), dtype=np.uint8)).save(folder / "frames" / "00002.png")
    Image.fromarray(np.zeros((20, 30), dtype=np.uint8)).save(folder / "masks" / "00002.png")
    kept = Kept()
    run(Plan([open_set(folder)], [STILL, FLOW]), kept)
    assert [line.error is None for line in kept.lines.values()] == [False, False]
    assert not any("unexpected" in str(line.error) for line in kept.lines.values())


def test_a_defect_is_kept_and_shown_on_demand(clips: VosSet) -> None:
    def start(*_: object) -> Follow:
        raise ZeroDivisionError("nobody expected this")

    plan, kept = Plan([clips], [Method("broken", start), STILL]), Kept()
    run(plan, kept)
    broken = [line.error for line in kept.lines.values() if line.key.method == "broken"]
    assert broken == ["unexpected ZeroDivisionError: nobody expected this"] * 2
    with pytest.raises(ZeroDivisionError):
        run(plan, kept, debug=True)


def test_only_what_is_missing_or_changed_is_done_again(clips: VosSet, tmp_path: Path) -> None:
    kept, plan = Kept(), Plan([clips], [STILL])
    run(plan, kept)
    assert plan.pending(kept) == []
    assert [task.key[1:] for task in Plan([clips], [STILL, FLOW]).pending(kept)] == [
        ("run", "flow"),
        ("walk", "flow"),
    ]
    Image.fromarray(label_map((1, 4, 4))).save(tmp_path / "set" / "walk" / "masks" / "00003.png")
    assert [task.key.clip for task in plan.pending(kept)] == ["walk"]


def test_changed_answers_are_scored_again(clips: VosSet, save_clip: SaveClip, tmp_path: Path) -> None:
    for name in ("run", "walk"):
        save_clip(tmp_path / "mine" / name, moving())
    kept, plan = Kept(), Plan([clips], [saved_method("mine", tmp_path / "mine")])
    run(plan, kept)
    Image.fromarray(label_map((1, 9, 9))).save(tmp_path / "mine" / "run" / "masks" / "00003.png")
    assert [task.key.clip for task in plan.pending(kept)] == ["run"]


def test_plans_that_make_no_sense_are_refused(clips: VosSet, tmp_path: Path) -> None:
    for sets, methods, threads in (([], [STILL], 1), ([clips], [STILL, STILL], 1), ([clips], [STILL], 0)):
        with pytest.raises(UsageError):
            Plan(sets, methods, threads)
    with pytest.raises(InputError, match="no such folder"):
        saved_method("mine", tmp_path / "nowhere")


def test_lines_survive_the_disk(clips: VosSet) -> None:
    for line in lines_of(Plan([clips], [STILL])):
        again = Line.from_json(line.to_json())
        assert again.key == line.key
        assert again.objects[0].j == pytest.approx(line.objects[0].j, abs=1e-9)
        assert again.objects[0].there == line.objects[0].there
    failed = Line(Key("set", "clip", "still"), "data", error="torn")
    assert Line.from_json(failed.to_json()) == failed


@pytest.mark.parametrize(
    "change",
    [
        {"objects": [{"label": 1, "j": [0.5, 2.0], "f": [1, 1], "there": "11"}]},
        {"objects": [{"label": 1, "j": [0.5, 0.5], "f": [1], "there": "11"}]},
        {"objects": []},
        {"clip": None, "objects": 3},
    ],
)
def test_foreign_lines_are_refused(change: dict[str, object]) -> None:
    one = ObjectScore(1, (0.5, 0.5), (0.5, 0.5), (True, True))
    line = Line(Key("set", "clip", "still"), "data", (one,), 1.0).to_json()
    Line.from_json(line)
    with pytest.raises(InputError):
        Line.from_json(line | change)


def scored(clip: str, method: str, *values: tuple[float, ...], there: str = "11111") -> Line:
    marks = tuple(mark == "1" for mark in there)
    objects = tuple(ObjectScore(place + 1, j, j, marks) for place, j in enumerate(values))
    return Line(Key("set", clip, method), "data", objects, 0.5)


def test_summary_by_hand() -> None:
    lines = [
        scored("a", "ours", (0.8, 0.8, 0.8, 0.8, 0.0), (0.4, 0.4, 0.4, 0.4, 0.0)),
        scored("b", "ours", (0.9, 0.9, 0.9, 0.9, 0.0)),
        scored("a", "theirs", (0.9, 0.9, 0.9, 0.9, 0.0), (0.7, 0.7, 0.7, 0.7, 0.0)),
        Line(Key("set", "b", "theirs"), "data", error="torn"),
    ]
    ours, theirs = summarise(lines, ["set"], ["ours", "theirs"])
    # The mean is over objects, three of them.
    assert ours.j.mean == ours.j_and_f.mean == pytest.approx(2.1 / 3)
    assert ours.j_recall.mean == pytest.approx(2 / 3)
    assert (ours.clips, ours.objects, ours.failed, ours.lead) == (2, 3, 0, None)
    assert ours.frames_per_second == pytest.approx(10.0)
    # Whole clips are drawn: twice `a`, once each, or twice `b`.
    assert (ours.j.low, ours.j.high) == pytest.approx((0.6, 0.9))
    assert (theirs.clips, theirs.failed) == (1, 1)
    assert theirs.lead is not None
    assert theirs.lead.mean == pytest.approx(0.2)
    assert ours.recovery is None
    text = as_markdown([ours, theirs], lines, "ours")
    assert "J&F minus ours" in text
    assert "| 70.0 [60.0, 90.0] |" in text
    # One clip has no interval.
    assert "|              80.0 |" in text
    assert "out of sight" not in text
    assert as_csv([ours, theirs]).splitlines()[1].startswith("set,ours,2,3,0,70.000,60.000,90.000")
    assert len(objects_csv(lines).splitlines()) == 1 + 5


def test_recovery_by_hand() -> None:
    lines = [
        scored("a", "ours", (1.0, 0.0, 0.4, 0.7, 0.9), there="10111"),
        scored("b", "ours", (1.0, 1.0, 0.1, 0.1, 0.1), there="10111"),
        scored("c", "ours", (1.0, 1.0, 1.0, 1.0, 1.0)),
    ]
    (row,) = summarise(lines, ["set"], ["ours"])
    assert row.recovery is not None
    assert (row.recovery.returns, row.recovery.recovered, row.recovery.frames) == (2, 0.5, 1.0)
    assert (row.recovery.absent, row.recovery.absent_right) == (2, 0.5)
    assert "out of sight" in as_markdown([row], lines, "ours")
