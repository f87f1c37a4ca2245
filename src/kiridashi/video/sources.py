"""From what a user names to a source of frames."""

from pathlib import Path

from kiridashi.video.camera import Camera, is_live
from kiridashi.video.clip import Clip, open_clip


def open_source(text: str) -> Clip:
    """A folder of frames, a video file, a camera (`camera:0`) or a stream (`rtsp://...`).

    Raises:
        InputError: it holds no frame.
        UsageError: nothing of this name is there, or it needs a package that is not installed.
    """
    return Camera(text) if is_live(text) else open_clip(Path(text))


def name_of(text: str) -> str:
    """What folders of its results are called."""
    if is_live(text):
        from kiridashi.video.camera import Address

        return Address.parse(text).name
    path = Path(text)
    return (path.resolve().name if path.is_dir() else path.stem) or "clip"
