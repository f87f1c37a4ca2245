from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.video.discs import disc_at, frame_at
from tests.video.streams import mpegts, server

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.models.promptable import PromptableModel
from kiridashi.video.camera import Camera
from kiridashi.video.clip import Frame, FrameFolder
from kiridashi.video.following import SEARCHED_FRAMES, follow
from kiridashi.video.gate import GateOptions
from kiridashi.video.output import Format, TrackFolder
from kiridashi.video.prompting import Plan
from kiridashi.video.tracker import Tracker, TrackerOptions

WriteClip = Callable[..., Path]
OPTIONS = TrackerOptions(threshold=0.0, gate=GateOptions(distance=2.0))


@pytest.fixture(scope="module")
def model(make_compact: Callable[..., PromptableModel]) -> PromptableModel:
    made = make_compact()
    return PromptableModel(made.net, replace(made.card, recalls_by_matching=True))


def run(
    clip: FrameFolder, out: Path, model: PromptableModel, plan: Plan | None = None, **more: Any
) -> TrackFolder:
    folder = TrackFolder.open(out, {}, overlays=True, **more)
    tracker = (
        Tracker.from_state(model, folder.memory, OPTIONS, model)
        if folder.memory
        else Tracker(model, OPTIONS, model)
    )
    follow(clip, plan or Plan({0: {1: disc_at(0)}}), tracker, folder, checkpoint_frames=3)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "checkpoint.safetensors"
    }


class Breaking(FrameFolder):
    """Stops in front of a frame, as a run that is killed there."""

    last = 0

    def frames(self, start: int = 0) -> Iterator[Frame]:
        for frame in super().frames(start):
            if frame.index == self.last:
                raise KeyboardInterrupt
            yield frame


@pytest.mark.parametrize(("mask_format", "stop"), [(Format.PNG, 1), (Format.RLE, 5), (Format.PNG, 6)])
def test_a_resumed_run_writes_what_an_uninterrupted_one_does(
    write_clip: WriteClip, tmp_path: Path, model: PromptableModel, mask_format: Format, stop: int
) -> None:
    path = write_clip(8)
    (path / "4.png").write_bytes(b"broken")
    plan = Plan({0: {1: disc_at(0)}, 3: {2: disc_at(9)}}, {6: (2,)})
    whole = run(FrameFolder(path), tmp_path / "whole", model, plan, mask_format=mask_format)
    broken = Breaking(path)
    broken.last = stop
    with pytest.raises(KeyboardInterrupt):
        run(broken, tmp_path / "parts", model, plan, mask_format=mask_format)
    again = run(FrameFolder(path), tmp_path / "parts", model, plan, mask_format=mask_format, resume=True)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert again.progress.found == whole.progress.found
    assert again.progress.unreadable == 1
    assert again.progress.done


def test_frames_before_the_first_prompt_are_empty(
    write_clip: WriteClip, tmp_path: Path, model: PromptableModel
) -> None:
    folder = run(FrameFolder(write_clip(4)), tmp_path / "out", model, Plan({2: {1: disc_at(2)}}))
    assert folder.progress.frames == 4
    lines = (tmp_path / "out" / "tracks.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "3"]


def test_a_prompt_needs_its_frame(write_clip: WriteClip, tmp_path: Path, model: PromptableModel) -> None:
    path = write_clip(4)
    (path / "1.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"frame 1 \(1.png\), which a prompt is for, cannot be used"):
        run(FrameFolder(path), tmp_path / "one", model, Plan({1: {1: disc_at(1)}}))
    with pytest.raises(InputError, match="a prompt is for frame 4, but the last frame of clip is 3"):
        run(FrameFolder(path), tmp_path / "two", model, Plan({0: {1: disc_at(0)}, 4: {1: disc_at(4)}}))


def test_a_finder_is_asked_until_it_finds(
    write_clip: WriteClip, tmp_path: Path, model: PromptableModel
) -> None:
    asked: list[str] = []

    def find(picture: Any) -> dict[int, Mask]:
        asked.append(picture.name)
        return {1: disc_at(2)} if len(asked) == 3 else {}

    folder = run(FrameFolder(write_clip(6)), tmp_path / "out", model, Plan(finder=find))
    assert asked == ["0.png", "1.png", "2.png"]
    assert folder.progress.found == {"1": 4}


def test_a_finder_that_finds_nothing_gives_up(
    write_clip: WriteClip, tmp_path: Path, model: PromptableModel
) -> None:
    asked: list[str] = []

    def find(picture: Any) -> dict[int, Mask]:
        asked.append(picture.name)
        return {}

    with pytest.raises(InputError, match="in none of the first"):
        run(FrameFolder(write_clip(3)), tmp_path / "short", model, Plan(finder=find))
    asked.clear()
    with pytest.raises(InputError, match="in none of the first"):
        run(FrameFolder(write_clip(SEARCHED_FRAMES + 3, "long")), tmp_path / "long", model, Plan(finder=find))
    assert len(asked) == SEARCHED_FRAMES


def test_before_a_camera_a_finder_waits(
    tmp_path: Path, model: PromptableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiridashi.video.following.SEARCHED_FRAMES", 1)
    asked: list[str] = []

    def find(picture: Any) -> dict[int, Mask]:
        asked.append(picture.name)
        return {1: disc_at(2)} if len(asked) == 3 else {}

    folder = TrackFolder.open(tmp_path / "out", {})
    with server(mpegts(tmp_path / "stream.ts", [frame_at(2).pixels] * 20), endless=True) as address:
        source = Camera(address, patience=5)
        follow(source, Plan(finder=find), Tracker(model, OPTIONS, model), folder, most_frames=4)
    assert len(asked) == 3
    assert folder.progress.found == {"1": 2}
    assert folder.progress.done
