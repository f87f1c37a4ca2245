from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from kiridashi.core.errors import InputError
from kiridashi.data.pictures import read_picture
from kiridashi.data.raster import read_size


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_size_is_that_of_the_upright_picture(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert read_size(tmp_path / "a.jpg") == read_picture(tmp_path / "a.jpg").size


def test_a_tiff_that_only_tifffile_opens(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 3), np.uint16), photometric="rgb")
    assert read_size(tmp_path / "a.tif") == (20, 30)


def test_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="not a picture that can be read"):
        read_size(tmp_path / "a.png")
    with pytest.raises(InputError, match="no such file"):
        read_size(tmp_path / "b.png")
