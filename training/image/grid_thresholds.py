"""Which thresholds the grid of "segment everything" should have for a model.

    python -m training.image.grid_thresholds --data DATA --sources runs/sources

A 16 x 16 grid is decoded once a scene with no threshold at all; then every pair of thresholds (predicted
IoU, stability) is tried on what it gave, box suppression included. The scenes are the held-out ones of
`training.scenes`, none of them in an evaluation set. Each line of the table is one pair: recall is the
share of the objects (at least 0.3 % of their picture) that some kept mask meets at an IoU of 0.5 and 0.7;
precision the share of the kept masks that meet an object at 0.5, over all scenes and over the made-up ones
alone: much of a photograph is not marked, so precision over all is a lower bound. The last lines are the
model's own thresholds (its card's), kind by kind.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.geometry.boxes import box_nms
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.grid import Gallery, GridSettings, gallery
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from training.scenes import IGNORE, Scene, SceneMaker
from training.scenes.scene import Pixels

Array = NDArray[np.float64]
SHARES = {"photographs": 0.45, "composed": 0.30, "surfaces": 0.12, "many": 0.08}
MADE_UP = frozenset(SHARES) - {"photographs"}
PREDICTED_IOUS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
STABILITIES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
LEAST_SHARE = 0.003
LEVELS = (0.5, 0.7)
SEED = 41


@dataclass(frozen=True, eq=False)
class Found:
    """Every mask of one scene, and what it meets.

    Attributes:
        kind: of the scene.
        predicted_iou: (M,), falling.
        stability: (M,).
        boxes: (M, 4) as suppression takes them.
        overlaps: (M, N) IoU with each object; pixels of which nobody knows do not count.
        wanted: (N,) bool, whether the object is large enough to be asked for.
    """

    kind: str
    predicted_iou: Array
    stability: Array
    boxes: Array
    overlaps: Array
    wanted: NDArray[np.bool_]


@dataclass(frozen=True)
class Trial:
    """What a pair of thresholds gives over some scenes.

    Attributes:
        predicted_iou: masks above it stay.
        stability: masks of at least this stay.
        recall: at each of `LEVELS`.
        precision: share of the kept masks that meet an object.
        made_up_precision: of the scenes of `MADE_UP` alone.
        masks: kept in a scene, mean.
        most: kept in a scene, the most.
    """

    predicted_iou: float
    stability: float
    recall: tuple[float, ...]
    precision: float
    made_up_precision: float
    masks: float
    most: int


def overlaps_of(mask: Mask, objects: Pixels, areas: NDArray[np.intp]) -> Array:
    """(N,) IoU of a mask with each object of (H, W) labels, whose pixels `areas` (256,) counts."""
    x0, y0, x1, y1 = mask.box
    inside = np.bincount(objects[y0:y1, x0:x1][mask.bitmap], minlength=256)
    either = inside[:IGNORE].sum() + areas - inside
    count = int(np.flatnonzero(areas[:IGNORE]).max(initial=0))
    iou: Array = inside[1 : count + 1] / np.maximum(either[1 : count + 1], 1)
    return iou


def look(found: Gallery, scene: Scene, kind: str) -> Found:
    """Compare the masks of a scene with its objects."""
    areas = np.bincount(scene.objects.ravel(), minlength=256)
    rows = [overlaps_of(mask, scene.objects, areas) for mask in found.masks]
    boxes = np.array([mask.box for mask in found.masks], dtype=np.float64).reshape(-1, 4)
    wanted = areas[1 : scene.count + 1] >= LEAST_SHARE * scene.objects.size
    # The last pixels are the box's far sides, as in selection.StableMask.
    boxes[:, 2:] = np.maximum(boxes[:, 2:] - 1, 0)
    overlaps = np.array(rows, dtype=np.float64).reshape(-1, scene.count)
    return Found(kind, found.predicted_iou, found.stability, boxes, overlaps, wanted)


def kept(found: Found, predicted_iou: float, stability: float, box_iou: float) -> NDArray[np.intp]:
    """Indices of the masks that stay."""
    passing = np.flatnonzero((found.predicted_iou > predicted_iou) & (found.stability >= stability))
    chosen: NDArray[np.intp] = passing[box_nms(found.boxes[passing], found.predicted_iou[passing], box_iou)]
    return chosen


def attempt(scenes: Sequence[Found], predicted_iou: float, stability: float, box_iou: float) -> Trial:
    """One pair of thresholds on all scenes."""
    best: list[float] = []
    good: list[bool] = []
    made_up: list[bool] = []
    counts: list[int] = []
    for scene in scenes:
        overlaps = scene.overlaps[kept(scene, predicted_iou, stability, box_iou)]
        best += overlaps.max(axis=0, initial=0.0)[scene.wanted].tolist()
        met = (overlaps.max(axis=1, initial=0.0) >= LEVELS[0]).tolist()
        good += met
        made_up += met if scene.kind in MADE_UP else []
        counts.append(len(met))
    recall = tuple(_share([value >= level for value in best]) for level in LEVELS)
    return Trial(
        predicted_iou,
        stability,
        recall,
        _share(good),
        _share(made_up),
        float(np.mean(counts)),
        max(counts),
    )


def _share(hits: Sequence[bool]) -> float:
    return float(np.mean(hits)) if hits else float("nan")


def gather(
    model: PromptableModel, data: Path, sources: Path | None, count: int, seed: int = SEED
) -> list[Found]:
    """Every mask of about `count` held-out scenes, the kinds by their shares."""
    everything = GridSettings(predicted_iou=0, stability=0, box_iou=1)
    found = []
    for number, (kind, share) in enumerate(SHARES.items()):
        maker = SceneMaker(data, sources, {kind: 1.0}, split="validation")
        for index in range(max(round(count * share / sum(SHARES.values())), 1)):
            scene = maker.draw(np.random.default_rng((seed, number, index)))
            features = model.encode(Picture(scene.pixels))
            found.append(look(gallery(model, features, everything), scene, kind))
    return found


def table(trials: Sequence[Trial]) -> str:
    """The trials as aligned text."""
    lines = ["  iou  stab  recall@.5  recall@.7  precision  made up  masks  most"]
    for one in trials:
        low, high = one.recall
        lines.append(
            f"{one.predicted_iou:5.2f} {one.stability:5.2f} {low:10.3f} {high:10.3f} {one.precision:10.3f} "
            f"{one.made_up_precision:8.3f} {one.masks:6.1f} {one.most:5d}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the training sets")
    parser.add_argument("--sources", type=Path, help="folder of training.scenes.fetch")
    parser.add_argument("--model", default="compact", help="a name of the catalogue or a model folder")
    parser.add_argument("--scenes", type=int, default=24, help="about so many")
    parser.add_argument("--seed", type=int, default=SEED, help="of the scenes")
    options = parser.parse_args(arguments)
    model = load_model(options.model)
    scenes = gather(model, options.data, options.sources, options.scenes, options.seed)
    objects = sum(int(scene.wanted.sum()) for scene in scenes)
    box_iou = GridSettings().box_iou
    print(
        f"{len(scenes)} scenes, {objects} objects, {sum(len(one.stability) for one in scenes)} masks in all"
    )
    print(table([attempt(scenes, *pair, box_iou) for pair in product(PREDICTED_IOUS, STABILITIES)]))
    own = model.card.grid
    for kind in SHARES:
        alone = [scene for scene in scenes if scene.kind == kind]
        print(kind, table([attempt(alone, own.predicted_iou, own.stability, box_iou)]), sep="\n")


if __name__ == "__main__":
    main()
