import numpy as np
import pytest

from grid_recall import SIDES, Outcome, best_ious, finders, rival_of, summarise, table
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.objects import Scene
from kiridashi.models.promptable import PromptableModel


def box(x0: int, x1: int) -> Mask:
    full = np.zeros((10, 40), dtype=bool)
    full[2:6, x0:x1] = True
    return Mask.from_array(full)


def test_each_object_gets_its_best_mask() -> None:
    nothing = np.zeros((10, 40), dtype=bool)
    objects, found = [box(0, 10), box(20, 30)], [box(0, 8), box(0, 5), box(25, 35)]
    assert best_ious(objects, found, nothing) == pytest.approx((0.8, 1 / 3))
    assert best_ious(objects, [], nothing) == (0.0, 0.0)


def test_ignored_pixels_do_not_count() -> None:
    ignore = np.zeros((10, 40), dtype=bool)
    ignore[:, 10:15] = True
    assert best_ious([box(0, 10)], [box(0, 15)], ignore) == (1.0,)


def test_recall_is_over_objects_and_paired_with_regions_as_fine() -> None:
    outcomes = {
        "regions 16": [Outcome("a", (0.6, 0.2), 30, 1.0), Outcome("b", (0.1,), 50, 3.0)],
        "grid 16": [Outcome("a", (0.7, 0.5), 10, 0.1), Outcome("b", (0.69,), 20, 0.3)],
    }
    regions, grid = summarise(outcomes, seed=0)
    assert grid["recall_0.5"]["mean"] == 1.0
    assert grid["recall_0.7"]["mean"] == pytest.approx(1 / 3)
    assert regions["recall_0.5"]["mean"] == pytest.approx(1 / 3)
    assert grid["minus_regions_0.5"]["mean"] == pytest.approx(2 / 3)
    assert "minus_regions_0.5" not in regions
    assert (grid["masks_per_picture"], grid["median_seconds"]) == (15.0, pytest.approx(0.2))
    assert len(table([regions, grid]).splitlines()) == 4


def test_every_grid_has_its_regions() -> None:
    assert rival_of("grid 32, skip covered") == "regions 32"
    assert rival_of("grid 16") == "regions 16"
    assert rival_of("regions 16") is None


def test_finders_answer_with_masks_of_the_picture(tiny_compact: PromptableModel) -> None:
    every = finders(tiny_compact)
    assert [name for name in every if name.startswith("grid")] == [
        f"grid {side}{skip}" for side in SIDES for skip in ("", ", skip covered")
    ]
    pixels = np.zeros((40, 48, 3), dtype=np.uint8)
    pixels[10:30, 10:34] = 200
    scene = Scene(Picture(pixels), (), np.zeros((40, 48), dtype=bool))
    features = tiny_compact.encode(scene.picture)
    for name in ("grid 16", "regions 16"):
        assert every[name](scene, features).size == (40, 48)
    square = Mask.from_array(pixels[..., 0] > 0)
    assert (
        best_ious([square], [one.mask for one in every["regions 16"](scene, features)], scene.ignore)[0] > 0.6
    )
