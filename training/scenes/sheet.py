"""A contact sheet of scenes with the objects outlined, to look at.

python -m training.scenes.sheet --data DIR --sources DIR --out scenes.png
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from kiridashi.data.atomic import atomic_path
from training.scenes.maker import KINDS, SceneMaker
from training.scenes.scene import IGNORE, Pixels, Scene

CELL = 384
COLUMNS = 6


def outlined(scene: Scene) -> Pixels:
    """(H, W, 3) uint8: the picture with a coloured outline an object, grey where it is 255."""
    shown = scene.pixels.copy()
    unknown = scene.objects == IGNORE
    shown[unknown] = shown[unknown] // 2 + 64
    for number in range(1, scene.count + 1):
        hue = np.array([[[number * 47 % 180, 255, 255]]], np.uint8)
        colour = tuple(int(n) for n in cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0])
        inside = (scene.objects == number).astype(np.uint8)
        edges, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(shown, edges, -1, colour, 1)
    return shown


def sheet(maker: SceneMaker, count: int, seed: int) -> Pixels:
    """`count` scenes in rows of `COLUMNS`."""
    rows = -(-count // COLUMNS)
    page = np.full((rows * CELL, COLUMNS * CELL, 3), 255, np.uint8)
    for number in range(count):
        cell = outlined(maker.draw(np.random.default_rng([seed, number])))[:CELL, :CELL]
        y, x = number // COLUMNS * CELL, number % COLUMNS * CELL
        page[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    return page


def main() -> None:
    """Write a sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sources", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    maker = SceneMaker(options.data, options.sources, dict.fromkeys(options.kinds, 1.0))
    page = sheet(maker, options.count, options.seed)
    with atomic_path(options.out) as temporary:
        cv2.imwrite(str(temporary), page[..., ::-1])
    print(f"{options.out}: {options.count} scenes of {maker.describe()}")


if __name__ == "__main__":
    main()
