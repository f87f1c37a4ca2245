import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.data.pictures import read_picture, to_bytes, write_picture

RAMP = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)


def save(path: Path, array: NDArray[Any], mode: str | None = None, **options: Any) -> Path:
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def grey(values: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(values[..., None], 3, axis=2)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_lossless_colour_is_exact(tmp_path: Path, suffix: str) -> None:
    picture = read_picture(save(tmp_path / f"part{suffix}", COLOUR))
    assert np.array_equal(picture.pixels, COLOUR)
    assert picture.name == f"part{suffix}"
    assert picture.path == tmp_path / f"part{suffix}"
    assert picture.size == (6, 8)


def test_webp(tmp_path: Path) -> None:
    assert np.array_equal(read_picture(save(tmp_path / "a.webp", COLOUR, lossless=True)).pixels, COLOUR)


def test_jpeg(tmp_path: Path) -> None:
    smooth = np.full((16, 24, 3), (200, 90, 30), np.uint8)
    picture = read_picture(save(tmp_path / "a.jpg", smooth, quality=95))
    assert np.abs(picture.pixels.astype(int) - smooth).max() <= 4


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    assert np.array_equal(read_picture(save(tmp_path / "a.dat", COLOUR, format="PNG")).pixels, COLOUR)


def test_one_bit_and_eight_bit_grey(tmp_path: Path) -> None:
    assert np.array_equal(read_picture(save(tmp_path / "a.png", RAMP)).pixels, grey(RAMP))
    bits = RAMP > 100
    assert np.array_equal(read_picture(save(tmp_path / "b.png", bits)).pixels, grey(bits * np.uint8(255)))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_sixteen_bit_grey_is_scaled_from_the_camera_s_depth(tmp_path: Path, suffix: str, bits: int) -> None:
    top = 2**bits - 1
    values = np.linspace(0, top, 48).round().astype(np.uint16).reshape(6, 8)
    expected = np.rint(values.astype(float) * 255 / top).astype(np.uint8)
    picture = read_picture(save(tmp_path / f"a{suffix}", values))
    assert np.array_equal(picture.pixels, grey(expected))


@pytest.mark.parametrize("channels", [3, 4, 5])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_of_several_wide_channels(tmp_path: Path, channels: int, planar: str) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (6, 8, channels)).astype(np.uint16)
    values[0, 0, :3] = 4095
    if channels == 4:
        values[..., 3] = 65535
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    options: dict[str, Any] = {"photometric": "rgb"} if channels < 5 else {"photometric": "minisblack"}
    if channels == 4:
        options["extrasamples"] = ["unassalpha"]
    tifffile.imwrite(tmp_path / "a.tif", stored, planarconfig=planar, **options)
    expected = np.rint(values[..., :3].astype(float) * 255 / 4095)
    assert np.abs(read_picture(tmp_path / "a.tif").pixels - expected).max() <= 1


def test_float_tiff_in_and_beyond_the_unit_range(tmp_path: Path) -> None:
    values = np.linspace(0.2, 0.9, 48, dtype=np.float32).reshape(6, 8)
    picture = read_picture(save(tmp_path / "a.tif", values))
    assert np.abs(picture.pixels - grey(values * 255)).max() <= 0.51
    wide = values * 3000 - 500
    wide[0, 0] = np.nan
    pixels = read_picture(save(tmp_path / "b.tif", wide)).pixels
    assert (pixels[0, 0] == 0).all()
    assert (pixels[-1, -1] == 255).all()
    tifffile.imwrite(tmp_path / "c.tif", np.stack([values] * 3, -1), photometric="rgb")
    assert np.array_equal(read_picture(tmp_path / "c.tif").pixels, picture.pixels)


def test_a_picture_without_a_finite_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="finite"):
        read_picture(save(tmp_path / "a.tif", np.full((4, 4), np.nan, np.float32)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[-100, 1, 100]], np.int16), [0, 129, 255]),
        (np.array([[0, 2**20, 2**21]], np.int32), [0, 128, 255]),
        (np.array([[7, 7, 7]], np.float32), [0, 0, 0]),
        (np.array([[0, 0, 0]], np.uint16), [0, 0, 0]),
    ],
)
def test_other_ranges_are_stretched(values: NDArray[Any], expected: list[int]) -> None:
    assert to_bytes(values).tolist() == [expected]


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    alpha = np.zeros((6, 8), np.uint8)
    alpha[:, 4:6], alpha[:, 6:] = 128, 255
    pixels = read_picture(save(tmp_path / "a.png", np.dstack([COLOUR, alpha]))).pixels
    assert (pixels[:, :4] == 255).all()
    assert np.array_equal(pixels[:, 6:], COLOUR[:, 6:])
    half = COLOUR[:, 4:6] * (128 / 255) + 255 * (127 / 255)
    assert np.abs(pixels[:, 4:6] - half).max() <= 1
    mixed = read_picture(save(tmp_path / "b.png", np.dstack([RAMP, alpha]))).pixels
    assert (mixed[:, :4] == 255).all()
    assert np.array_equal(mixed[:, 6:], grey(RAMP)[:, 6:])


def test_an_alpha_channel_of_zeros_is_dropped(tmp_path: Path) -> None:
    hidden = np.dstack([COLOUR, np.zeros((6, 8), np.uint8)])
    assert np.array_equal(read_picture(save(tmp_path / "a.png", hidden)).pixels, COLOUR)


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.fromarray((np.arange(48) % 3).astype(np.uint8).reshape(6, 8)).convert("L")
    image.putpalette([10, 20, 30, 200, 100, 50, 1, 2, 3])
    table = np.array([[10, 20, 30], [200, 100, 50], [1, 2, 3]])
    indices = np.arange(48).reshape(6, 8) % 3
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png").pixels, table[indices])
    image.save(tmp_path / "b.png", transparency=1)
    table[1] = 255
    assert np.array_equal(read_picture(tmp_path / "b.png").pixels, table[indices])
    image.save(tmp_path / "c.gif")
    assert read_picture(tmp_path / "c.gif").size == (6, 8)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    smooth = np.full((16, 24, 3), (200, 90, 30), np.uint8)
    picture = read_picture(save(tmp_path / f"a{suffix}", smooth, mode="CMYK"))
    assert np.abs(picture.pixels.astype(int) - smooth).max() <= 6


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    turned = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR, -1),
        7: np.rot90(COLOUR, 2).transpose(1, 0, 2),
        8: np.rot90(COLOUR, 1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(save(tmp_path / f"a{suffix}", COLOUR, exif=exif))
    assert np.array_equal(picture.pixels, turned[orientation])
    if suffix == ".tif":
        wide = COLOUR.astype(np.uint16) * 257
        tag = [(274, "H", 1, orientation, False)]
        tifffile.imwrite(tmp_path / "wide.tif", wide, photometric="rgb", extratags=tag)
        assert np.array_equal(read_picture(tmp_path / "wide.tif").pixels, turned[orientation])


def test_a_damaged_exif_block_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", COLOUR, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff")
    assert np.array_equal(read_picture(path).pixels, COLOUR)


def test_the_first_of_a_stereo_jpeg_counts(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((16, 16, 3), value, np.uint8)) for value in (40, 200)]
    frames[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert np.abs(read_picture(tmp_path / "a.jpg").pixels.astype(int) - 40).max() <= 2


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".png", ".webp"])
def test_the_first_frame_counts(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(np.full((6, 8, 3), value, np.uint8)) for value in (40, 200)]
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], **options)
    assert (read_picture(tmp_path / f"a{suffix}").pixels == 40).all()


def bomb(path: Path, width: int, height: int) -> Path:
    """A PNG whose header promises far more than its few bytes hold."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(("width", "height"), [(12_000, 12_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_by_the_header(tmp_path: Path, width: int, height: int) -> None:
    with pytest.raises(InputError, match="limit of 100"):
        read_picture(bomb(tmp_path / "bomb.png", width, height))


def test_the_limit_can_be_set_and_holds_for_wide_tiffs(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", COLOUR)
    assert read_picture(path, max_pixels=48).size == (6, 8)
    with pytest.raises(InputError, match="8 x 6 pixels"):
        read_picture(path, max_pixels=47)
    tifffile.imwrite(tmp_path / "b.tif", COLOUR.astype(np.float32), photometric="rgb")
    with pytest.raises(InputError, match="8 x 6 pixels"):
        read_picture(tmp_path / "b.tif", max_pixels=47)


def assert_one_line_about(path: Path, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif", ".gif"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = save(tmp_path / f"a{suffix}", noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert_one_line_about(path, "damaged or cut short|not a picture")


def test_truncated_wide_tiffs_are_refused(tmp_path: Path) -> None:
    for compression in (None, "zlib"):
        values = np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(np.uint16)
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, values, photometric="rgb", compression=compression, rowsperstrip=8)
        path.write_bytes(path.read_bytes()[:9000])
        assert_one_line_about(path, "damaged or cut short")


def test_flipped_bytes_never_give_another_error(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for suffix in (".jpg", ".png", ".webp", ".bmp", ".tif", ".gif"):
        data = bytearray(save(tmp_path / f"a{suffix}", np.tile(COLOUR, (4, 4, 1))).read_bytes())
        for _ in range(25):
            broken = bytearray(data)
            for place in random.integers(0, min(len(data), 200), 6):
                broken[place] = random.integers(0, 256)
            path = tmp_path / f"broken{suffix}"
            path.write_bytes(broken)
            try:
                message = str(read_picture(path).size)
            except InputError as error:
                message = str(error)
            assert "\n" not in message


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("not a picture\nat all")
    (tmp_path / "head.tif").write_bytes(b"II*\0\x08\0\0\0")
    (tmp_path / "page.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert_one_line_about(tmp_path / "empty.png", "empty")
    assert_one_line_about(tmp_path / "text.jpg", "not a picture")
    assert_one_line_about(tmp_path / "head.tif", "damaged|not a picture")
    assert_one_line_about(tmp_path / "page.eps", "not a picture")
    assert_one_line_about(tmp_path / "missing.png", "no such file")
    assert_one_line_about(tmp_path, "folder")


def test_odd_names_stay_on_one_line(tmp_path: Path) -> None:
    for name in ("two\nlines.png", os.fsdecode(b"\xff.png")):
        with pytest.raises(InputError) as caught:
            read_picture(tmp_path / name)
        assert "\n" not in str(caught.value)
        str(caught.value).encode()
    with pytest.raises(InputError):
        read_picture("nul\0byte.png")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert_one_line_about(tmp_path / "pipe.png", "not a regular file")


def test_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", COLOUR)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", refuse)
    assert_one_line_about(path, "permission denied")


def test_warnings_of_pillow_are_not_shown(tmp_path: Path) -> None:
    path = bomb(tmp_path / "bomb.png", 9_900, 9_900)
    script = (
        "import sys\nfrom kiridashi.data import read_picture\n"
        "try: read_picture(sys.argv[1])\nexcept Exception as error: print(error)"
    )
    command = [sys.executable, "-c", script, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert ran.stdout.count("\n") == 1


@pytest.mark.parametrize("name", ["a.png", "deep/er/a.jpg"])
def test_writing(tmp_path: Path, make_picture: Callable[..., Picture], name: str) -> None:
    picture = make_picture()
    write_picture(tmp_path / name, picture.pixels)
    back = read_picture(tmp_path / name)
    assert back.size == picture.size
    if name.endswith(".png"):
        assert back.digest == picture.digest
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [Path(name).name]


@pytest.mark.data
def test_real_photographs(shared_data: Path) -> None:
    photographs = sorted((shared_data / "fss1000_sample" / "images").iterdir())[:5]
    assert all(read_picture(path).pixels.std() > 5 for path in photographs)
