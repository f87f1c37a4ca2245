"""The picture that a benchmark of speed runs on."""

from pathlib import Path

from kiridashi.core.picture import Picture
from kiridashi.data.pictures import read_picture


def given_or_coffee(path: Path | None) -> Picture:
    """The picture of a file, or scikit-image's cup of coffee (400 x 600 pixels)."""
    if path is not None:
        return read_picture(path)
    from skimage import data

    return Picture(data.coffee(), name="coffee")
