import io
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from tests.video.discs import disc_at, frame_at
from tests.video.streams import mpegts, server

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.video import camera
from kiridashi.video.camera import Address, Camera, is_live
from kiridashi.video.clip import Frame
from kiridashi.video.sources import name_of, open_source


def stream(path: Path, frames: int = 30) -> bytes:
    return mpegts(path / "stream.ts", [frame_at(index).pixels for index in range(frames)])


def shows(frame: Frame, index: int) -> bool:
    """Whether the disc is where it is in the frame of this index."""
    assert frame.picture is not None
    return Mask.from_array(frame.picture.pixels[..., 0] > 140).iou(disc_at(index)) > 0.8


@pytest.mark.parametrize("text", ["camera:0", "rtsp://host/one", "HTTP://host:8080/video", "tcp://host:1"])
def test_what_is_live(text: str) -> None:
    assert is_live(text)


@pytest.mark.parametrize("text", ["frames", "a/b.mp4", "C:\\clip.mp4", "file:///etc/passwd", "concat:a|b"])
def test_what_is_a_file(text: str) -> None:
    assert not is_live(text)


def test_an_address_shows_no_password() -> None:
    address = Address.parse("rtsp://user:secret@cam.local:554/stream1?token=abc")
    assert address.url == "rtsp://user:secret@cam.local:554/stream1?token=abc"
    assert address.shown == "rtsp://cam.local:554/stream1"
    assert address.name == "cam.local-554-stream1"
    assert address.options["rtsp_transport"] == "tcp"
    assert "file" not in address.options["protocol_whitelist"].split(",")


@pytest.mark.parametrize(
    ("platform", "layout", "url"),
    [
        ("linux", "v4l2", "/dev/video2"),
        ("darwin", "avfoundation", "2"),
        ("win32", "dshow", "video=2"),
    ],
)
def test_cameras_of_each_system(
    platform: str, layout: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    address = Address.parse("camera:2")
    assert (address.format, address.url, address.name) == (layout, url, "camera-2")


@pytest.mark.parametrize("text", ["camera:", "rtsp://", "rtsp://[bad", "ftp://host/video"])
def test_no_address(text: str) -> None:
    with pytest.raises(UsageError, match=r"stream|camera:0"):
        Address.parse(text)


def test_frames_come_until_the_stream_ends(tmp_path: Path) -> None:
    content = stream(tmp_path)
    with server(content) as address:
        source = Camera(address, patience=5)
        assert source.size == (48, 64)
        assert source.expected is None
        frames = list(source.frames(7))
    # How many depends on the machine; the newest is never left out.
    assert 1 < len(frames) <= 30
    assert [frame.index for frame in frames] == list(range(7, 7 + len(frames)))
    assert shows(frames[-1], 29)
    times = [frame.seconds or 0 for frame in frames]
    assert times == sorted(times)
    assert source.ending == "the stream ended"


def test_a_slow_reader_gets_the_newest(tmp_path: Path) -> None:
    with server(stream(tmp_path), pause=0) as address:
        source = Camera(address, patience=5)
        frames = source.frames()
        next(frames)
        # All has come by then, and one of it is kept.
        for reader in [one for one in threading.enumerate() if one.name == "camera"]:
            reader.join(10)
        left = list(frames)
    assert len(left) == 1
    assert shows(left[0], 29)


def test_a_camera_that_hangs_ends(tmp_path: Path) -> None:
    with server(stream(tmp_path), pause=0, silent=True) as address:
        source = Camera(address, patience=0.5)
        frames = list(source.frames())
    assert frames
    assert source.ending == "no picture came for 0.5 s"


def test_a_camera_that_changes_its_size_ends(tmp_path: Path) -> None:
    small = [frame_at(index).pixels for index in range(10)]
    large = [picture.repeat(2, 0).repeat(2, 1) for picture in small]
    with server(mpegts(tmp_path / "stream.ts", [*small, *large])) as address:
        source = Camera(address, patience=5)
        frames = list(source.frames())
    assert {frame.picture.size for frame in frames if frame.picture is not None} == {(48, 64)}
    assert source.ending == "its pictures changed from 64 x 48 to 128 x 96 pixels"


def test_pictures_of_absurd_size_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "MAX_PIXELS", 1000)
    too_many = pytest.raises(InputError, match="64 x 48 are more than can be read")
    with server(stream(tmp_path, 5)) as address, too_many:
        _ = Camera(address, patience=5).size


def test_what_does_not_answer_or_is_no_video(tmp_path: Path) -> None:
    with server(b"") as address:
        pass
    with pytest.raises(InputError, match="it cannot be read") as failure:
        _ = Camera(address.replace("tcp://", "tcp://user:secret@"), patience=2).size
    assert "secret" not in str(failure.value)
    play_list = b"#EXTM3U\nfile:///etc/passwd\n" * 400
    with server(play_list) as address, pytest.raises(InputError, match="is it on, and the address right"):
        _ = Camera(address, patience=2).size


class Mjpeg(BaseHTTPRequestHandler):
    """Sends what most network cameras send, or leads elsewhere."""

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for index in range(15):
            picture = io.BytesIO()
            Image.fromarray(frame_at(index).pixels).save(picture, "JPEG")
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {picture.tell()}\r\n\r\n"
            self.wfile.write(head.encode() + picture.getvalue() + b"\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def mjpeg() -> Iterator[str]:
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Mjpeg)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_port}"
    listener.shutdown()
    listener.server_close()


def test_a_network_camera_that_sends_jpegs(mjpeg: str) -> None:
    pytest.importorskip("av")
    source = Camera(f"{mjpeg}/video", patience=5)
    frames = list(source.frames())
    assert shows(frames[-1], 14)
    assert source.ending


def test_a_server_cannot_have_files_read(mjpeg: str) -> None:
    pytest.importorskip("av")
    with pytest.raises(InputError, match="it cannot be read"):
        _ = Camera(f"{mjpeg}/elsewhere", patience=5).size


def test_stop_ends_it_after_the_frame_at_work(tmp_path: Path) -> None:
    with server(stream(tmp_path), endless=True) as address:
        source = Camera(address, patience=5)
        taken = []
        for frame in source.frames():
            taken.append(frame)
            source.stop()
    assert len(taken) == 1
    assert source.ending == camera.STOPPED


def test_without_pyav_a_camera_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"pip install 'kiridashi\[video\]'"):
        open_source("camera:0")


def test_names_of_sources(tmp_path: Path) -> None:
    assert name_of("rtsp://u:p@cam/line 1") == "cam-line-1"
    assert name_of(str(tmp_path / "film.mp4")) == "film"
    assert name_of(str(tmp_path)) == tmp_path.name
