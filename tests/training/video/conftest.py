"""Made-up training data for clips."""

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two short sequences (one of them held out), photographs and cut-outs."""
    data = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("camel", "goat"):
        _write_sequence(data / "davis_train" / name, rng)
    for part in ("images", "masks"):
        (data / "voc_train" / part).mkdir(parents=True)
    (data / "tuxpaint_stamps" / "rgba").mkdir(parents=True)
    # Every twelfth is held out.
    for number in range(12):
        pixels, mask = _disc((60, 80), (40, 30), 14, rng)
        cv2.imwrite(str(data / "voc_train" / "images" / f"{number:02d}.jpg"), pixels)
        cv2.imwrite(str(data / "voc_train" / "masks" / f"{number:02d}.png"), mask * 3)
        rgba = np.dstack([pixels, mask * 255])
        cv2.imwrite(str(data / "tuxpaint_stamps" / "rgba" / f"{number:02d}.png"), rgba)
    return data


def _write_sequence(folder: Path, rng: np.random.Generator) -> None:
    for part in ("frames", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(4):
        pixels, mask = _disc((60, 100), (30 + 8 * number, 30), 12, rng)
        cv2.imwrite(str(folder / "frames" / f"{2 * number:05d}.jpg"), pixels)
        cv2.imwrite(str(folder / "masks" / f"{2 * number:05d}.png"), mask)


def _disc(
    size: tuple[int, int], centre: tuple[int, int], radius: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    pixels = rng.integers(0, 80, (*size, 3)).astype(np.uint8)
    mask = np.zeros(size, np.uint8)
    cv2.circle(mask, centre, radius, 1, -1)
    pixels[mask > 0] += np.uint8(120)
    return pixels, mask
