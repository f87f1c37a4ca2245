"""A video file from pictures, by PyAV."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Rgb
from kiridashi.data.atomic import atomic_path
from kiridashi.video.pyav import load_av, why

SUFFIX = ".webm"
# VP8: any browser plays it, and its encoder is free of the GPL, which others in the wheel are under.
ENCODER = "libvpx"
# Quality before size, and speed before both.
OPTIONS = {"crf": "12", "deadline": "realtime", "cpu-used": "6"}
# A second, at most; unsaid, the encoder keeps to a small part of it whatever the quality asked for.
MOST_BITS = 8_000_000
USUAL_RATE = Fraction(10)
SLOWEST, FASTEST = Fraction(1, 4), Fraction(60)


def check_films() -> Any:
    """The package that writes films.

    Raises:
        UsageError: it is not installed, or cannot encode.
    """
    av = load_av("a film of the overlays (--overlays alone writes each frame as a picture, and does not)")
    if ENCODER not in av.codecs_available:
        raise UsageError(
            f"this build of PyAV has no encoder {ENCODER}: pip install --force-reinstall av, or --overlays"
        )
    return av


def rate_of(frames: int, first: float | None, last: float | None) -> Fraction:
    """Frames per second of a film.

    Args:
        frames: from the first to the last.
        first: when the first frame was, in seconds; None: nobody knows, and the film has 10 a second.
        last: when the last one was.
    """
    if first is None or last is None or last <= first or frames < 2:
        return USUAL_RATE
    rate = Fraction((frames - 1) / (last - first)).limit_denominator(1001)
    return min(max(rate, SLOWEST), FASTEST)


def write_film(path: Path, pictures: Iterable[Rgb], rate: Fraction) -> None:
    """Write (H, W, 3) uint8 pictures of one size as a WebM file, atomically.

    Args:
        path: ends in `.webm`.
        pictures: one after the other; at least one.
        rate: pictures per second.

    Raises:
        UsageError: PyAV is missing, or the file cannot be written.
    """
    av = check_films()
    with atomic_path(path) as temporary:
        try:
            with av.open(str(temporary), "w") as container:
                stream = None
                for picture in pictures:
                    stream = stream or _stream(container, picture, rate)
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                if stream is not None:
                    container.mux(stream.encode())
        except av.FFmpegError as error:
            raise UsageError(f"{path}: cannot be written ({why(error)})") from error


def _stream(container: Any, picture: Rgb, rate: Fraction) -> Any:
    stream = container.add_stream(ENCODER, rate=rate, options=OPTIONS)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.bit_rate = MOST_BITS
    return stream
