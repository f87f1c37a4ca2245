import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.video.discs import SIZE, disc_at, frame_at
from tests.video.streams import mpegts, server

from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments
from kiridashi.models.promptable import PromptableModel

Run = Callable[..., SimpleNamespace]


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch, tiny_compact: PromptableModel) -> PromptableModel:
    made = PromptableModel(tiny_compact.net, replace(tiny_compact.card, recalls_by_matching=True))
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: made)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Clips `a` and `b` of four frames, with a mask and a label map of the first."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(4):
            Image.fromarray(frame_at(index).pixels).save(tmp_path / name / f"{index}.png")
    inside = disc_at(0).to_array()
    Image.fromarray(inside.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    labels = inside.astype(np.uint8) * 3
    labels[:8, :8] = 200
    Image.fromarray(labels).save(tmp_path / "labels.png")
    return tmp_path


def words(root: Path, *more: str, clips: str = "a", out: str = "out") -> list[str]:
    named = [str(root / name) for name in clips.split()]
    files = [word.replace("ROOT", str(root)) for word in more]
    return ["track", *named, *files, "--out", str(root / out), "--threshold", "0", "--gate-off"]


def table(path: Path) -> list[list[str]]:
    return [line.split(",") for line in (path / "tracks.csv").read_text().splitlines()[1:]]


def read(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(path))


def test_one_clip_from_a_mask(root: Path, run: Run) -> None:
    told = run(*words(root, "--mask", "ROOT/mask.png", "--overlays"))
    assert told.code == 0, told.err
    out = root / "out"
    assert np.array_equal(read(out / "masks" / "00000.png") == 1, disc_at(0).to_array())
    assert sorted(path.name for path in (out / "masks").iterdir()) == [f"0000{i}.png" for i in range(4)]
    assert table(out)[0][:3] == ["0", "1", "found"]
    assert len(list((out / "overlays").iterdir())) == 4
    assert (out / "strip.jpg").is_file()
    assert "a: 4 frames: object 1 found in" in told.out
    assert "frames/s" in told.out


def test_labels_points_boxes_and_drops(root: Path, run: Run) -> None:
    told = run(
        *words(root, "--labels", "ROOT/labels.png", "--box", "5:1,1,20,20@1", "--point", "5:9,9@1"),
        *("--point", "5:40,40,0@1", "--drop", "200@2", "--json"),
    )
    assert told.code == 0, told.err
    rows = table(root / "out")
    assert [[row[1] for row in rows if row[0] == str(frame)] for frame in range(4)] == [
        ["3", "200"],
        ["3", "200", "5"],
        ["3", "5"],
        ["3", "5"],
    ]
    labels = read(root / "out" / "masks" / "00000.png")
    assert set(np.unique(labels)) == {0, 3, 200}
    clip = json.loads(told.out)["clips"][0]
    assert (clip["frames"], clip["unreadable"], clip["error"]) == (4, 0, None)


def test_run_lengths(root: Path, run: Run) -> None:
    assert run(*words(root, "--mask", "7:ROOT/mask.png@0", "--format", "rle")).code == 0
    lines = [json.loads(line) for line in (root / "out" / "masks.jsonl").read_text().splitlines()]
    assert [line["object"] for line in lines] == [7] * 4
    assert lines[0]["segmentation"] == disc_at(0).to_rle()


def test_a_bad_clip_does_not_spoil_the_others(root: Path, run: Run) -> None:
    (root / "bad").mkdir()
    told = run(*words(root, "--mask", "ROOT/mask.png", clips="a bad b"))
    assert told.code == 3
    assert "bad: " in told.err
    assert "no pictures in this folder" in told.err
    for name in ("a", "b"):
        assert len(table(root / "out" / name)) == 4


def test_masks_by_the_name_of_the_clip(root: Path, run: Run) -> None:
    for name, index in (("a", 0), ("b", 3)):
        Image.fromarray(disc_at(index).to_array()).save(root / f"first-{name}.png")
    assert run(*words(root, "--mask", "ROOT/first-{clip}.png", clips="a b")).code == 0
    for name, index in (("a", 0), ("b", 3)):
        first = read(root / "out" / name / "masks" / "00000.png")
        assert np.array_equal(first == 1, disc_at(index).to_array())


def test_a_bad_frame_is_named_and_counts_as_lost(root: Path, run: Run) -> None:
    (root / "a" / "2.png").write_bytes(b"broken")
    told = run(*words(root, "--mask", "ROOT/mask.png"))
    assert told.code == 3
    assert "a: 2.png: not a picture" in told.err
    assert [row[3] for row in table(root / "out")] == ["", "", "unreadable", ""]
    assert not read(root / "out" / "masks" / "00002.png").any()


def test_a_finished_run_is_kept_and_resumed_at_once(root: Path, run: Run) -> None:
    command = words(root, "--mask", "ROOT/mask.png")
    assert run(*command).code == 0
    before = (root / "out" / "tracks.csv").read_bytes()
    refused = run(*command)
    assert (refused.code, "already holds results" in refused.err) == (2, True)
    assert run(*command, "--resume").code == 0
    assert (root / "out" / "tracks.csv").read_bytes() == before
    changed = run(*command, "--resume", "--point", "2:3,3")
    assert (changed.code, "prompts differ" in changed.err) == (2, True)
    assert run(*command, "--point", "2:3,3", "--overwrite").code == 0


def test_an_interrupted_run_says_how_to_go_on(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from kiridashi.video.tracker import Tracker

    step = Tracker.step

    def stop(self: Tracker, *given: Any) -> Any:
        if self.index == 2:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(Tracker, "step", stop)
    told = run(*words(root, "--mask", "ROOT/mask.png"))
    assert told.code == 130
    assert "2 of 4 frames are done" in told.err
    assert "--resume" in told.err
    monkeypatch.setattr(Tracker, "step", step)
    assert run(*words(root, "--mask", "ROOT/mask.png", "--resume")).code == 0
    assert len(table(root / "out")) == 4


class Finds:
    """Stands in for a method: what it finds is the disc of the frame after the first."""

    def __init__(self, name: str, model: Any) -> None:
        assert name == "prototype"

    def fit(self, references: Any) -> "Finds":
        self.references = references
        return self

    def predict(self, picture: Picture) -> Segments:
        items = (Segment(disc_at(1), 0.9, "object"),) if picture.name == "1.png" else ()
        return Segments(picture.size, items)


def test_a_reference_is_looked_for(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiridashi.reference.methods.make_method", Finds)
    told = run(*words(root, "--reference", "ROOT/a/0.png", "--reference-mask", "ROOT/mask.png"))
    assert told.code == 0, told.err
    assert [row[0] for row in table(root / "out")] == ["1", "2", "3"]
    assert np.array_equal(read(root / "out" / "masks" / "00001.png") == 1, disc_at(1).to_array())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([], "say what to follow"),
        (["--mask", "missing.png"], "no such file"),
        (["--mask", "0:ROOT/mask.png"], "id is 1..255"),
        (["--labels", "2:ROOT/labels.png"], "--labels takes FILE"),
        (["--box", "1,2,3"], "--box takes"),
        (["--box", "9,9,3,3"], "x0 < x1"),
        (["--point", "99,3"], "outside of frames of 64 x 48"),
        (["--point", "9,3@7"], "the last frame of a is 3"),
        (["--box", "5,5,9,9@3", "--frames", "2"], "the last frame of a is 1"),
        (["--point", "9,9", "--drop", "1"], "--drop takes ID@FRAME"),
        (["--point", "9,9", "--format", "jpg"], "png, rle"),
        (["--reference", "ROOT/a/0.png"], "give one mask for each reference"),
        (["--point", "9,9", "--reference", "ROOT/a/0.png", "--reference-mask", "ROOT/mask.png"], "not both"),
    ],
)
def test_wrong_use(root: Path, run: Run, more: list[str], says: str) -> None:
    told = run(*words(root, *more))
    assert told.code == 2
    assert says in told.err
    assert not (root / "out").exists()


def test_a_mask_of_another_size(root: Path, run: Run) -> None:
    Image.fromarray(np.ones((10, 10), np.uint8)).save(root / "small.png")
    told = run(*words(root, "--mask", "ROOT/small.png"))
    assert told.code == 2
    assert f"the mask is 10 x 10 pixels, the frames {SIZE[1]} x {SIZE[0]}" in told.err
    assert not (root / "out").exists()


def contents(folder: Path) -> dict[str, bytes]:
    """All results but the checkpoints."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "checkpoint.safetensors"
    }


def test_several_clips_go_on_where_ctrl_c_came(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from kiridashi.video.tracker import Tracker

    command = words(root, "--mask", "ROOT/mask.png", clips="a b")
    whole = words(root, "--mask", "ROOT/mask.png", clips="a b", out="whole")
    assert run(*whole).code == 0
    step, steps = Tracker.step, iter(range(100))

    def stop(self: Tracker, *given: Any) -> Any:
        if next(steps) == 6:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(Tracker, "step", stop)
    told = run(*command)
    assert (told.code, "2 of 4 frames are done" in told.err) == (130, True)
    monkeypatch.setattr(Tracker, "step", step)
    assert run(*command, "--resume").code == 0
    assert contents(root / "out") == contents(root / "whole")


def test_a_film_and_a_limit(root: Path, run: Run) -> None:
    pytest.importorskip("av")
    from kiridashi.video.clip import open_clip

    told = run(*words(root, "--mask", "ROOT/mask.png", "--film", "--frames", "3"))
    assert told.code == 0, told.err
    out = root / "out"
    assert len(table(out)) == len(list((out / "overlays").iterdir())) == 3
    frames = list(open_clip(out / "overlays.webm").frames())
    assert [frame.picture is not None for frame in frames] == [True] * 3
    more = run(*words(root, "--mask", "ROOT/mask.png", "--film", "--frames", "4", "--resume"))
    assert (more.code, "frames" in more.err) == (2, True)


def test_a_film_is_refused_before_the_work_where_it_cannot_be_made(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    told = run(*words(root, "--mask", "ROOT/mask.png", "--film"))
    assert (told.code, "pip install 'kiridashi[video]'" in told.err) == (2, True)
    assert not (root / "out").exists()


def camera(address: str, root: Path, *more: str) -> list[str]:
    mask = str(root / "mask.png")
    return ["track", address, "--mask", mask, "--out", str(root / "out"), "--threshold", "0", *more]


def test_a_camera_that_stops_keeps_what_was_seen_and_goes_on(root: Path, run: Run) -> None:
    content = mpegts(root / "stream.ts", [frame_at(index).pixels for index in range(20)])
    with server(content) as address:
        told = run(*camera(address, root, "--gate-off", "--json"))
    assert told.code == 3
    assert "the stream ended, after" in told.err
    clip = json.loads(told.out)["clips"][0]
    seen = clip["frames"]
    assert (clip["ending"], clip["error"]) == ("the stream ended", None)
    out = root / "out"
    assert len(table(out)) == len(list((out / "masks").iterdir())) == seen > 1
    assert all(float(row[-1]) > 1e9 for row in table(out))
    assert (out / "strip.jpg").is_file()
    before = (out / "tracks.csv").read_text()
    # The same camera, on the same port, after a while.
    port = int(address.rpartition(":")[2])
    with server(content, port=port) as again:
        more = run(*camera(again, root, "--gate-off", "--resume"))
    assert more.code == 3
    after = (out / "tracks.csv").read_text()
    assert after.startswith(before)
    assert [int(row[0]) for row in table(out)] == list(range(len(table(out))))
    assert len(table(out)) > seen


def test_a_camera_is_followed_for_so_many_frames(root: Path, run: Run) -> None:
    content = mpegts(root / "stream.ts", [frame_at(index).pixels for index in range(20)])
    with server(content, endless=True) as address:
        told = run(*camera(address, root, "--gate-off", "--frames", "2"))
    assert told.code == 0, told.err
    assert len(table(root / "out")) == 2


def test_ctrl_c_is_the_usual_end_of_a_camera(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from kiridashi.video.tracker import Tracker

    step = Tracker.step

    def press(self: Tracker, *given: Any) -> Any:
        if self.index == 1:
            signal.raise_signal(signal.SIGINT)
        return step(self, *given)

    monkeypatch.setattr(Tracker, "step", press)
    before = signal.getsignal(signal.SIGINT)
    content = mpegts(root / "stream.ts", [frame_at(index).pixels for index in range(20)])
    with server(content, endless=True) as address:
        told = run(*camera(address, root, "--gate-off"))
    assert told.code == 130
    assert "2 of 2 frames are done" in told.err
    assert len(table(root / "out")) == 2
    assert (root / "out" / "strip.jpg").is_file()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_camera_that_is_not_there(root: Path, run: Run) -> None:
    pytest.importorskip("av")
    with server(b"") as address:
        pass
    told = run(*camera(address.replace("tcp://", "tcp://user:secret@"), root))
    assert (told.code, "is it on" in told.err, "secret" in told.err) == (2, True, False)
    assert not (root / "out").exists()


def test_a_video_that_is_cut_off_keeps_what_there_is(root: Path, run: Run) -> None:
    av = pytest.importorskip("av")
    path = root / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for index in range(40):
            picture = av.VideoFrame.from_ndarray(frame_at(index).pixels, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    told = run(*words(root, "--mask", "ROOT/mask.png", clips="film.mkv"))
    assert told.code == 3
    assert "cut off or damaged, after" in told.err
    rows = table(root / "out")
    assert 1 < len(rows) < 40
    # The time in the film stands behind each line.
    assert [row[-1] for row in rows[:2]] == ["0.000", "0.100"]
