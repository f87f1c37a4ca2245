import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import many_classes
from common.class_costs import addition_costs, bytes_kept
from common.class_methods import ModelEye, Ours
from common.stamp_scenes import CELLS, StampBook, StampScene
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.ifsis.looking import Look
from kiridashi.models.promptable import PromptableModel
from many_classes import SeenScene, judge, main, objects_of, summarise


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    """Twenty cut-outs in three families of six and one of two."""
    folder = tmp_path / "tuxpaint_stamps"
    (folder / "rgba").mkdir(parents=True)
    items = []
    for index in range(20):
        rgba = np.zeros((30, 24, 4), np.uint8)
        rgba[3:27, 4:20] = (*np.random.default_rng(index).integers(0, 255, 3), 255)
        Image.fromarray(rgba).save(folder / "rgba" / f"s{index:02d}.png")
        items.append({"id": f"s{index:02d}", "category": f"family {index // 6}", "label": "thing"})
    (folder / "meta.json").write_text(json.dumps({"items": items}))
    return folder


def test_classes_come_in_families_and_everybody_has_one_part(stamps: Path) -> None:
    book = StampBook(stamps)
    cast = book.cast(10, seed=0)
    families = [int(name[1:]) // 6 for name in cast.classes]
    assert sorted(families.count(family) for family in set(families)) == [5, 5]
    every = [*cast.classes, *cast.shown, *cast.unknown]
    assert len(every) == len(set(every)) == 20
    assert book.cast(10, seed=0) == cast
    assert book.cast(10, seed=1) != cast
    with pytest.raises(UsageError, match="15 classes with look-alikes, 16"):
        book.cast(16, seed=0)


def test_things_of_a_scene_do_not_overlap(stamps: Path) -> None:
    book = StampBook(stamps)
    names = [f"s{index:02d}" for index in range(CELLS[0] * CELLS[1])]
    scene = book.scene(names, np.random.default_rng(3))
    assert [name for name, _ in scene.things] == names
    total = np.sum([mask.to_array() for _, mask in scene.things], axis=0)
    assert total.max() == 1
    assert all(mask.area > 500 for _, mask in scene.things)
    # In its mask a thing has its colour, lit a little differently.
    for name, mask in scene.things[:2]:
        colour = book.stamp(name)[5, 5, :3].astype(float)
        shown = np.median(scene.picture.pixels[mask.to_array()], axis=0)
        assert np.abs(shown - np.clip(colour, 0, 255)).max() < 70
    with pytest.raises(UsageError, match="room for 6"):
        book.scene([*names, "s10"], np.random.default_rng(0))


def box(x: int) -> Mask:
    full = np.zeros((10, 40), dtype=bool)
    full[2:8, x : x + 6] = True
    return Mask.from_array(full)


@pytest.fixture
def tested(tiny_compact: PromptableModel) -> tuple[Ours, list[SeenScene]]:
    """Two scenes of "a", "b" and a thing that is no class; the second shows a "b" that looks like an "a"."""
    eye = ModelEye(tiny_compact)
    axes = np.eye(eye.embedder.width, dtype=np.float32)
    masks = (box(0), box(10), box(20))
    scenes = []
    for index, looks_like in enumerate(([0, 1, 2], [0, 0, 2])):
        picture = Picture(np.zeros((10, 40, 3), np.uint8), f"scene {index}")
        scene = StampScene(picture, tuple(zip(("a", "b", "x"), masks, strict=True)))
        look = Look((10, 40), masks, np.ones(3, np.float32), axes[looks_like])
        scenes.append(SeenScene(scene, look, axes[looks_like]))
    ours = Ours(eye, keep_uncertain=False)
    ours.start({"a": axes[:1]}, axes[2:3])
    return ours, scenes


def test_an_object_is_right_by_name_and_place(tested: tuple[Ours, list[SeenScene]]) -> None:
    ours, scenes = tested
    assert objects_of(scenes, ["a", "b"]) == ([0, 1, 0, 1], ["scene 0", "scene 0", "scene 1", "scene 1"])
    first = judge(ours, scenes, ["a", "b"])
    assert first.classes == 1
    assert first.found.tolist() == first.named.tolist() == [True, False, True, False]
    # Two of three detections are an "a"; the third is a "b" that is taken for one.
    assert first.precision == pytest.approx(2 / 3)
    ours.add("b", np.eye(ours.classifier.width, dtype=np.float32)[1:2])
    second = judge(ours, scenes, ["a", "b"])
    assert second.found.tolist() == [True, True, True, False]
    assert second.precision == pytest.approx(3 / 4)
    row = summarise(second, np.array([0, 1, 0, 1]), ["0", "0", "1", "1"], seed=0)
    assert row["found_all"]["mean"] == 0.75


def test_an_addition_is_told_by_time_and_bytes() -> None:
    tenth, last, longest = addition_costs(16, 2, 40, repeats=1)
    assert tenth.seconds > 0
    assert longest >= last.seconds > 0
    # Neither is one at which the room doubles: what is allocated does not grow with the classes.
    assert last.allocated == pytest.approx(tenth.allocated, rel=0.2)
    assert 16 * 4 <= bytes_kept(64, 16) <= 2 * 16 * 4


def test_the_whole_run(
    stamps: Path,
    tmp_path: Path,
    tiny_compact: PromptableModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(many_classes, "open_model", lambda _: tiny_compact)
    monkeypatch.setattr(many_classes, "BACKGROUND_SCENES", 1)
    monkeypatch.setattr(many_classes, "TIMED_PICTURES", 1)
    sizes = ["--classes", "12", "--shots", "1", "--scenes", "3", "--step", "12", "--many", "24"]
    effort = ["--additions", "1", "--repeats", "1", "--grid", "2"]
    out, record = tmp_path / "out", tmp_path / "figures.json"
    data = ["--data", str(stamps.parent), "--out", str(out), "--json", str(record)]
    assert main([*sizes, *effort, *data]) == 0
    said = capsys.readouterr().out
    assert "from class 10 to 12" in said
    assert "the 24th" in said
    written = json.loads(record.read_text())
    assert [row["classes"] for row in written["growth"]["rows"]] == [10, 12]
    assert written["growth"]["objects"] == 12
    with Image.open(out / "accuracy.png") as image:
        assert image.format == "PNG"


def test_too_few_classes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--classes", "9"]) == 2
    assert "--classes is 10 or more" in capsys.readouterr().err
