import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from training.head.fit import fit
from training.head.kinds import Kinds
from training.head.stamps import StampScenes

from kiridashi.classes.base_training import Gain
from kiridashi.classes.base_training.gathering import Gathered
from kiridashi.classes.embedding import Embedder
from kiridashi.models.promptable import PromptableModel


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight stamps, two backgrounds and two photographs with class masks."""
    rng = np.random.default_rng(0)
    for folder in ("tuxpaint_stamps/rgba", "grocery_store/images", "voc_train/images", "voc_train/masks"):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(8):
        stamp = np.zeros((64, 64, 4), np.uint8)
        cv2.circle(stamp, (32, 32), 28, (*rng.integers(0, 256, 3).tolist(), 255), -1)
        cv2.imwrite(str(tmp_path / f"tuxpaint_stamps/rgba/s{number}.png"), stamp)
    for number in range(2):
        pixels = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
        labels = np.zeros((60, 80), np.uint8)
        labels[5:20, 5:30] = labels[30:50, 5:30] = 3
        labels[30:50, 40:70], labels[2, 2], labels[55:] = 5, 5, 255
        cv2.imwrite(str(tmp_path / f"grocery_store/images/g{number}.jpg"), pixels)
        cv2.imwrite(str(tmp_path / f"voc_train/images/v{number}.jpg"), pixels)
        cv2.imwrite(str(tmp_path / f"voc_train/masks/v{number}.png"), labels)
    meta = {"classes": {"3": "bird", "5": "bottle"}, "items": [{"id": "v0"}, {"id": "v1"}]}
    (tmp_path / "voc_train/meta.json").write_text(json.dumps(meta))
    return tmp_path


def test_scenes_name_what_is_in_them(data: Path) -> None:
    scenes = StampScenes(data, None, 4, aside=True)
    for index in range(len(scenes)):
        sample, again = scenes[index], scenes[index]
        assert np.array_equal(sample.picture.pixels, again.picture.pixels)
        for one, same in zip(sample.objects, again.objects, strict=True):
            assert one.label == same.label
            assert one.mask == same.mask
            assert one.mask.area >= 150
        names = [one.label for one in sample.objects]
        assert set(names) <= {"tuxpaint_stamps/s3", "tuxpaint_stamps/s7"}
        alone = [one.mask.to_array().astype(int) for one in sample.objects]
        assert not alone or np.sum(alone, axis=0).max() == 1


def test_cut_outs_held_aside_are_in_no_scene_to_learn_from(data: Path) -> None:
    learned, aside = (
        {
            one.label
            for scenes in [StampScenes(data, None, 8, aside=aside)]
            for n in range(8)
            for one in scenes[n].objects
        }
        for aside in (False, True)
    )
    assert learned
    assert aside
    assert not learned & aside


def test_kinds_are_the_connected_parts_of_class_masks(data: Path) -> None:
    kinds = Kinds(data / "voc_train", 2)
    assert len(kinds) == 2
    sample = kinds[0]
    assert [one.label for one in sample.objects] == ["bird", "bird", "bottle"]
    assert sample.objects[0].mask.box == (5, 5, 30, 20)
    assert sample.unknown.box == (0, 55, 80, 60)


def test_a_head_is_fitted_and_judged_on_both(tiny_compact: PromptableModel) -> None:
    embedder = Embedder(tiny_compact, None)
    generator = torch.Generator().manual_seed(0)

    def material(classes: int) -> Gathered:
        labels = torch.arange(classes).repeat_interleave(14)
        centres = torch.randn(classes, embedder.width, generator=generator)
        noise = torch.randn(len(labels), embedder.width, generator=generator)
        unit = torch.nn.functional.normalize(centres[labels] + noise, dim=1)
        names = tuple(f"class {number:02}" for number in range(classes))
        return Gathered(unit, labels, torch.arange(len(labels)), torch.zeros_like(labels), names)

    head, gains = fit(embedder, material(6), material(4), material(3))
    head.check(embedder.fingerprint, embedder.width)
    assert {name: [one.shots for one in found] for name, found in gains.items()} == {
        "cut-outs": [1, 5],
        "kinds": [1, 5],
    }
    assert all(isinstance(one, Gain) and 0 <= one.after <= 1 for found in gains.values() for one in found)
