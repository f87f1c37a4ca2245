import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from training.scenes import IGNORE, KINDS, Scene, SceneMaker
from training.scenes import fetch as fetching
from training.scenes.fetch import Source, fetch, prepared
from training.scenes.layer import Layer, drop_hidden, feathered, paste, recoloured, warped
from training.scenes.marks import draw_marks
from training.scenes.photometric import photographed
from training.scenes.real import objects_of, part_of
from training.scenes.scene import Pixels, components, renumbered
from training.scenes.sheet import outlined

from kiridashi.core.errors import UsageError

ALL = dict.fromkeys(KINDS, 1.0)
RED = (200, 30, 40)


def disc(size: tuple[int, int], x: int, y: int, radius: int) -> Pixels:
    drawn: Pixels = cv2.circle(np.zeros(size, np.uint8), (x, y), radius, 1, -1)
    return drawn


def save(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    code = codes[pixels.ndim if pixels.ndim == 2 else pixels.shape[2]]
    assert cv2.imwrite(str(path), pixels if code is None else cv2.cvtColor(pixels, code))


def red_thing(side: int = 60) -> Pixels:
    alpha = disc((side, side), side // 2, side // 2, side // 2 - 2) * 255
    return np.dstack([np.full((side, side, 3), RED, np.uint8), alpha])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs and frames of a red disc on grey, two backgrounds, thirteen red cut-outs."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for number in range(24):
        inside = disc((60, 80), int(rng.integers(25, 55)), 30, 14)
        pixels = np.where(inside[..., None] > 0, RED, rng.integers(90, 140, (60, 80, 1))).astype(np.uint8)
        labels = np.where(cv2.dilate(inside, np.ones((3, 3))) > inside, IGNORE, inside * 7).astype(np.uint8)
        save(root / "voc_train" / "images" / f"{number:03d}.jpg", pixels)
        save(root / "voc_train" / "masks" / f"{number:03d}.png", labels)
        if number < 3:
            save(root / "davis_train" / "cows" / "frames" / f"{number:05d}.jpg", pixels)
            save(root / "davis_train" / "cows" / "masks" / f"{number:05d}.png", inside)
            save(root / "grocery_store" / "images" / f"{number}.jpg", pixels[..., ::-1])
        if number < 13:
            save(root / "tuxpaint_stamps" / "rgba" / f"{number:02d}.png", red_thing())
    return root


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sources")
    save(root / "fluent_emoji" / "a.webp", red_thing())
    save(root / "openclipart" / "half_fetched.webp", red_thing())
    (root / "index.json").write_text(json.dumps({"sources": {"fluent_emoji": {"licence": "MIT"}}}))
    return root


def same(one: Scene, other: Scene) -> bool:
    return np.array_equal(one.pixels, other.pixels) and np.array_equal(one.objects, other.objects)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_generators_draw_equal_scenes_whatever_was_drawn_before(kind: str, data: Path) -> None:
    first, second = (SceneMaker(data, None, {kind: 1}) for _ in range(2))
    second.draw(np.random.default_rng(9))
    copied = pickle.loads(pickle.dumps(second))
    drawn = [maker.draw(np.random.default_rng(1)) for maker in (first, second, copied)]
    assert same(drawn[0], drawn[1])
    assert same(drawn[0], drawn[2])
    assert not same(drawn[0], first.draw(np.random.default_rng(2)))


@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_numbered_without_gaps(kind: str, data: Path, sources: Path) -> None:
    maker = SceneMaker(data, sources, {kind: 1}, side=192)
    counts = []
    for seed in range(6):
        scene = maker.draw(np.random.default_rng(seed))
        assert scene.pixels.shape == (*scene.objects.shape, 3)
        assert scene.pixels.dtype == scene.objects.dtype == np.uint8
        assert max(scene.objects.shape) == 192
        assert set(np.unique(scene.objects)) - {0, IGNORE} == set(range(1, scene.count + 1))
        assert np.bincount(scene.objects.ravel())[1 : scene.count + 1].min(initial=12) >= 12
        counts.append(scene.count)
    assert sum(counts) > 0
    if kind == "many":
        assert 8 <= max(counts) <= 80


@pytest.mark.parametrize("kind", ["photographs", "video frames"])
def test_masks_of_real_pictures_stay_on_their_objects(kind: str, data: Path) -> None:
    maker = SceneMaker(data, None, {kind: 1}, side=160)
    for seed in range(8):
        scene = maker.draw(np.random.default_rng(seed))
        assert scene.count == 1
        # An object's red differs from grey unless the whole picture was made grey.
        redness = scene.pixels[..., 0].astype(int) - scene.pixels[..., 1]
        if redness.max() > 60:
            assert redness[scene.objects == 1].mean() > 60
            assert abs(redness[scene.objects == 0].mean()) < 30


def test_a_pasted_object_is_labelled_where_it_covers_half_a_pixel() -> None:
    rng = np.random.default_rng(3)
    thing = np.full((40, 60, 4), 255, np.uint8)
    for angle, side in ((0.0, 90.0), (0.7, 50.0), (2.5, 14.0)):
        pixels, labels = np.zeros((120, 150, 3), np.uint8), np.zeros((120, 150), np.uint8)
        layer = warped(thing, side, (75, 60), angle, rng)
        count = paste(pixels, labels, layer, 4)
        assert count == layer.area == (labels == 4).sum()
        assert np.array_equal(labels == 4, pixels[..., 0] >= 128)
        y, x = np.nonzero(labels)
        assert (x.mean(), y.mean()) == pytest.approx((75, 60), abs=0.1 * side)
        # A box of 3:2 that was stretched by at most 15 % and tilted.
        assert count == pytest.approx(side * side * 2 / 3, rel=0.3)


def test_colours_never_outshine_their_alpha() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        layer = feathered(recoloured(warped(red_thing(), 80, (50, 50), 1.0, rng), rng), 1.0)
        changed = layer.rgba
        assert (changed[..., :3].max(axis=2) <= changed[..., 3].astype(int) + 1).all()
        assert changed[..., 0].max() > changed[..., 1].max()


def test_a_layer_outside_of_the_picture_changes_nothing() -> None:
    pixels, labels = np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.uint8)
    assert paste(pixels, labels, Layer(30, -90, red_thing()), 1) == 0
    assert not pixels.any()
    assert not labels.any()


def test_what_is_almost_hidden_is_ignored_and_the_rest_keeps_its_visible_part() -> None:
    labels = np.zeros((30, 30), np.uint8)
    labels[:10], labels[10:12], labels[20:] = 1, 2, 3
    left = drop_hidden(labels, {1: 300, 2: 450, 3: 900})
    assert {int(left[0, 0]), int(left[25, 0])} == {1, 3}
    assert (left[10:12] == IGNORE).all()


def test_components_are_bridged_and_small_ones_are_unknown() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[20, 2:20], mask[20, 26:50], mask[35, 55] = 1, 1, 1
    assert components(mask, 5).max(where=mask > 0, initial=0) == IGNORE
    apart, bridged = components(mask, 5), components(mask, 5, bridge=14)
    assert [int(apart[20, x]) for x in (5, 30)] == [1, 2]
    assert [int(bridged[20, x]) for x in (5, 22, 30)] == [1, 0, 1]
    assert apart[35, 55] == bridged[35, 55] == IGNORE


def test_class_masks_become_objects_by_part_and_class() -> None:
    labels = np.zeros((50, 50), np.uint8)
    labels[5:15, 5:15], labels[30:40, 5:15], labels[5:15, 15:25], labels[45:] = 3, 3, 9, IGNORE
    objects = objects_of(labels)
    assert [int(objects[y, x]) for y, x in ((8, 8), (35, 8), (8, 20), (0, 0), (48, 3))] == [
        1,
        2,
        3,
        0,
        IGNORE,
    ]


def test_at_most_two_hundred_objects_remain() -> None:
    labels = np.zeros((16, 254), np.uint8)
    labels[:] = np.arange(1, 255)
    labels[:8, :54] = 0
    numbered = renumbered(labels, least=1)
    assert set(np.unique(numbered)) == {0, *range(1, 201), IGNORE}
    assert (numbered[8:, :54] == IGNORE).all()


@pytest.mark.parametrize("seed", range(10))
def test_marks_differ_from_what_they_lie_on(seed: int) -> None:
    scene = draw_marks((200, 240), np.random.default_rng(seed))
    grey = cv2.cvtColor(scene.pixels, cv2.COLOR_RGB2GRAY).astype(float)
    for number in range(1, int(scene.objects.max(where=scene.objects < IGNORE, initial=0)) + 1):
        inside = scene.objects == number
        ring = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9))) > inside
        ring &= scene.objects == 0
        shift = abs(grey[inside].mean() - grey[ring].mean())
        roughness = abs(np.log((grey[inside].std() + 1) / (grey[ring].std() + 1)))
        assert shift > 3 or roughness > 0.15


def test_the_camera_keeps_colours_in_their_channels() -> None:
    flat = np.full((48, 64, 3), RED, np.uint8)
    kept = 0
    for seed in range(40):
        means = photographed(flat, np.random.default_rng(seed)).reshape(-1, 3).mean(axis=0)
        if np.ptp(means) > 10:
            assert means[0] > 1.8 * max(means[1:])
            kept += 1
    assert kept >= 30
    assert (flat == RED).all()


def test_missing_sources_leave_their_share_to_the_others(tmp_path: Path) -> None:
    maker = SceneMaker(tmp_path, tmp_path / "nowhere", ALL)
    told = maker.describe()
    assert told["kinds"] == {"many": 0.5, "surfaces": 0.5}
    assert told["cut-outs"] == dict.fromkeys(
        ("voc_train", "tuxpaint_stamps", "fluent_emoji", "openclipart"), 0
    )
    assert any(maker.draw(np.random.default_rng(seed)).count for seed in range(3))


def test_only_sources_fetched_to_the_end_are_used(data: Path, sources: Path) -> None:
    told = SceneMaker(data, sources, ALL).describe()
    assert told["cut-outs"] == {"voc_train": 22, "tuxpaint_stamps": 12, "fluent_emoji": 1, "openclipart": 0}
    assert told["photographs"] == 22
    assert told["video frames"] == 3


def test_the_splits_share_no_photograph_and_no_cut_out(data: Path) -> None:
    names = tuple(f"{number:03d}" for number in range(24))
    train, held = part_of(names, "train"), part_of(names, "validation")
    assert held == ("011", "023")
    assert sorted(train + held) == list(names)
    told = SceneMaker(data, None, ALL, split="validation").describe()
    assert (told["photographs"], told["video frames"]) == (2, 0)
    assert told["cut-outs"] == {"voc_train": 2, "tuxpaint_stamps": 1, "fluent_emoji": 0, "openclipart": 0}


@pytest.mark.parametrize(
    ("weights", "split", "message"),
    [
        ({"cartoons": 1.0}, "train", "cartoons"),
        ({"photographs": 1.0}, "train", "'surfaces'"),
        ({"many": 0.0}, "train", "weight above 0"),
        ({"many": 1.0}, "test", "'test'"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    weights: dict[str, float], split: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        SceneMaker(tmp_path, None, weights, split=split)


def test_outlines_leave_the_scene_as_it_was() -> None:
    scene = Scene(np.full((20, 20, 3), 90, np.uint8), disc((20, 20), 10, 10, 6))
    shown = outlined(scene)
    assert (scene.pixels == 90).all()
    assert (shown != 90).any(axis=2).sum() == pytest.approx(2 * np.pi * 6, rel=0.3)


def test_cut_outs_are_trimmed_and_scaled_down(tmp_path: Path) -> None:
    large = np.zeros((700, 900, 4), np.uint8)
    large[100:500, 50:450] = cv2.resize(red_thing(), (400, 400), interpolation=cv2.INTER_NEAREST)
    save(tmp_path / "disc.png", large)
    small = prepared(tmp_path / "disc.png")
    assert small is not None
    assert max(small.shape) == 256
    solid = small[..., 3] > 200
    assert solid.mean() == pytest.approx(np.pi / 4, abs=0.04)
    assert np.abs(small[solid][:, 2::-1].astype(int) - RED).max() <= 2


def test_rectangles_scattered_pieces_and_pictures_without_alpha_are_no_cut_outs(tmp_path: Path) -> None:
    pieces = np.zeros((120, 120, 4), np.uint8)
    pieces[::40, ::40] = pieces[:30, :30] = pieces[90:, 90:] = 255
    save(tmp_path / "pieces.png", pieces)
    save(tmp_path / "filled.png", np.full((120, 120, 4), 255, np.uint8))
    save(tmp_path / "opaque.png", np.full((120, 120, 3), 255, np.uint8))
    assert [prepared(tmp_path / f"{name}.png") for name in ("pieces", "filled", "opaque")] == [None] * 3


def test_a_fetched_source_is_used_and_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads: list[Path] = []

    def download(source: Source, folder: Path) -> Path:
        downloads.append(folder)
        (folder / "archive").write_bytes(b"packed")
        return folder / "archive"

    def unpack(archive: Path, folder: Path) -> list[tuple[str, Path]]:
        if len(downloads) == 1:
            raise UsageError("broken off")
        save(folder / "thing.png", red_thing(100))
        return [("thing", folder / "thing.png")]

    source = Source("a-package", "1.0", "MIT", download, unpack)
    monkeypatch.setitem(fetching.SOURCES, "fluent_emoji", source)
    with pytest.raises(UsageError, match="broken off"):
        fetch(tmp_path, ["fluent_emoji"])
    assert not (tmp_path / "index.json").exists()
    for _ in range(2):
        fetch(tmp_path, ["fluent_emoji"])
    assert len(downloads) == 2
    told = json.loads((tmp_path / "index.json").read_text())["sources"]["fluent_emoji"]
    assert (told["package"], told["licence"], told["pictures"]) == ("a-package", "MIT", 1)
    assert [path.name for path in (tmp_path / "fluent_emoji").iterdir()] == ["thing.webp"]
    cut_outs = SceneMaker(tmp_path, tmp_path, {"composed": 1}).describe()["cut-outs"]
    assert isinstance(cut_outs, dict)
    assert cut_outs["fluent_emoji"] == 1


def test_a_missing_client_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no-such-client is not installed"):
        fetching._downloaded(["no-such-client"], tmp_path, "*")


def test_scenes_of_the_real_data(shared_data: Path) -> None:
    maker = SceneMaker(shared_data, None, ALL, split="validation")
    told = maker.describe()
    assert told["photographs"] == 198
    scenes = [maker.draw(np.random.default_rng(seed)) for seed in range(12)]
    assert all(max(scene.objects.shape) == 384 for scene in scenes)
    assert sum(scene.count > 0 for scene in scenes) >= 10
