import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from kiridashi.classes.registry import blobs
from kiridashi.classes.registry.blobs import joined_vectors, picture_bytes, read_picture_bytes, vector_bytes
from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_pictures_come_back_pixel_for_pixel(pixels: NDArray[np.uint8]) -> None:
    picture = Picture(pixels, "a.png")
    data = picture_bytes(picture)
    assert data.startswith(b"\x89PNG")
    back = read_picture_bytes(data, "a.png", picture.digest)
    assert np.array_equal(back.pixels, pixels)


@given(hnp.arrays(np.float32, (3, 5), elements=st.floats(width=32, allow_nan=False)))
def test_vectors_come_back_bit_for_bit(rows: NDArray[np.float32]) -> None:
    stored = [vector_bytes(row) for row in rows]
    assert stored[0] == rows[0].astype("<f4").tobytes()
    assert joined_vectors(stored).tobytes() == rows.astype("=f4").tobytes()


def test_a_large_picture_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    for name, limit in (("MOST_BYTES", 2000), ("MAX_PIXELS", 1000)):
        with monkeypatch.context() as patch:
            patch.setattr(blobs, name, limit)
            with pytest.raises(InputError, match=r"big\.png: .*30 x 40.*crop"):
                picture_bytes(Picture(noise, "big.png"))


def test_damaged_bytes_are_named() -> None:
    picture = Picture(np.zeros((3, 3, 3), np.uint8), "a.png")
    data = picture_bytes(picture)
    for bad in (b"", data[:40], b"GIF89a" + data):
        with pytest.raises(InputError, match=r"a\.png: .*damaged"):
            read_picture_bytes(bad, "a.png", picture.digest)
    with pytest.raises(InputError, match="not the one"):
        read_picture_bytes(data, "a.png", "0" * 64)
    with pytest.raises(InputError, match="cut short"):
        joined_vectors([b"\0" * 4, b"\0" * 7])
