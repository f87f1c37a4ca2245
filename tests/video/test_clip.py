import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.video.clip import open_clip
from kiridashi.video.video_file import VideoFile

WriteClip = Callable[..., Path]


def test_frames_come_in_natural_order_and_from_anywhere(write_clip: WriteClip) -> None:
    clip = open_clip(write_clip(12))
    frames = list(clip.frames())
    assert [frame.name for frame in frames] == [f"{index}.png" for index in range(12)]
    assert [frame.index for frame in clip.frames(10)] == [10, 11]
    assert clip.expected == 12
    assert clip.size == (48, 64)
    assert clip.name == "clip"


def test_a_folder_with_its_frames_below(write_clip: WriteClip) -> None:
    write_clip(3, "goat/frames")
    write_clip(5, "goat/masks")
    clip = open_clip(write_clip(2, "goat/frames/deeper").parents[1])
    assert clip.name == "goat"
    assert clip.expected == 3


def test_a_bad_frame_is_named_and_the_others_come(write_clip: WriteClip) -> None:
    folder = write_clip(5)
    (folder / "0.png").write_bytes(b"not a picture")
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:200])
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / "4.png")
    frames = list(open_clip(folder).frames())
    assert [frame.picture is None for frame in frames] == [True, False, True, False, True]
    assert "not a picture" in frames[0].why
    assert "damaged" in frames[2].why
    assert frames[4].why == "the frame is 30 x 20 pixels and the clip 64 x 48"
    assert not frames[1].why


def test_the_fingerprint_follows_the_files(write_clip: WriteClip) -> None:
    folder = write_clip(3)
    before = open_clip(folder).fingerprint
    assert open_clip(folder).fingerprint == before
    (folder / "2.png").write_bytes(b"something else")
    assert open_clip(folder).fingerprint != before


def test_what_is_no_clip(tmp_path: Path, write_clip: WriteClip) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures in this folder"):
        open_clip(tmp_path / "empty")
    with pytest.raises(UsageError, match="no such folder or file"):
        open_clip(tmp_path / "missing")
    folder = write_clip(2)
    for path in folder.iterdir():
        path.write_bytes(b"x")
    with pytest.raises(InputError, match="none of its 2 frames can be read"):
        _ = open_clip(folder).size


def test_without_pyav_a_video_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"pip install 'kiridashi\[video\]'"):
        open_clip(path)


def write_video(path: Path, frames: int) -> None:
    av: Any = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(frames):
            pixels = np.full((48, 64, 3), 12 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def test_frames_of_a_video_file(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write_video(path, 6)
    clip = open_clip(path)
    frames = list(clip.frames())
    assert (clip.name, clip.size, clip.expected) == ("film", (48, 64), 6)
    shades = [float(frame.picture.pixels.mean()) for frame in frames if frame.picture is not None]
    assert shades == pytest.approx([12 * index for index in range(6)], abs=4)
    later = list(clip.frames(4))
    assert [frame.index for frame in later] == [4, 5]
    assert later[0].picture is not None
    assert float(later[0].picture.pixels.mean()) == shades[4]


def test_a_video_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    write_video(path, 20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    frames = list(open_clip(path).frames())
    assert 0 < len(frames) < 20
    assert frames[0].picture is not None


def test_whether_a_video_is_whole_is_told_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    write_video(path, 20)
    whole = VideoFile(path)
    assert len(list(whole.frames())) == 20
    assert whole.ending == ""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    torn = VideoFile(path)
    next(torn.frames())
    assert torn.ending == ""
    assert len(list(torn.frames())) < 18
    assert "frames and is cut off or damaged" in torn.ending


@pytest.mark.parametrize("content", [b"plain text", b"ffconcat version 1.0\nfile other.mp4\n", b"#EXTM3U\n"])
def test_text_and_play_lists_are_no_videos(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("av")
    write_video(tmp_path / "other.mp4", 2)
    path = tmp_path / "list.mp4"
    path.write_bytes(content)
    with pytest.raises(KiridashiError, match="not a video that can be read"):
        open_clip(path)
