import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.video import film
from kiridashi.video.clip import open_clip
from kiridashi.video.film import check_films, rate_of, write_film


def pictures(count: int) -> list[Any]:
    return [np.full((47, 63, 3), 40 + 10 * index, np.uint8) for index in range(count)]


def test_a_film_holds_its_pictures(tmp_path: Path) -> None:
    pytest.importorskip("av")
    write_film(tmp_path / "film.webm", pictures(6), Fraction(5))
    frames = list(open_clip(tmp_path / "film.webm").frames())
    shades = [float(frame.picture.pixels.mean()) for frame in frames if frame.picture is not None]
    assert shades == pytest.approx([40 + 10 * index for index in range(6)], abs=4)
    assert [frame.seconds for frame in frames] == pytest.approx([0.2 * index for index in range(6)], abs=0.01)


def test_a_film_shows_what_the_pictures_show(tmp_path: Path) -> None:
    """Every picture another one, with much in it: left to itself the encoder would smear them."""
    pytest.importorskip("av")
    rng = np.random.default_rng(0)
    squares = [rng.integers(0, 256, (40, 60, 1)).astype(np.uint8) for _ in range(8)]
    shown = [one.repeat(6, 0).repeat(6, 1).repeat(3, 2) for one in squares]
    write_film(tmp_path / "film.webm", shown, Fraction(10))
    frames = [frame.picture for frame in open_clip(tmp_path / "film.webm").frames()]
    errors = [
        np.abs(frame.pixels.astype(float) - picture).mean()
        for frame, picture in zip(frames, shown, strict=True)
        if frame is not None
    ]
    assert len(errors) == 8
    assert max(errors) < 5


def test_no_half_of_a_film_is_left(tmp_path: Path) -> None:
    pytest.importorskip("av")

    def broken() -> Any:
        yield from pictures(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_film(tmp_path / "film.webm", broken(), Fraction(5))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("frames", "first", "last", "rate"),
    [
        (26, 0.0, 1.0, 25),
        (101, 1000.0, 1020.0, 5),
        (10, None, None, 10),
        (1, 3.0, 3.0, 10),
        (1000, 0.0, 0.5, 60),
    ],
)
def test_rates(frames: int, first: float | None, last: float | None, rate: int) -> None:
    assert rate_of(frames, first, last) == rate


def test_what_films_need(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    monkeypatch.setattr(film, "ENCODER", "no-such-encoder")
    with pytest.raises(UsageError, match="no encoder no-such-encoder"):
        check_films()
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"--overlays alone.*pip install 'kiridashi\[video\]'"):
        check_films()
