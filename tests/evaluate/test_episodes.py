import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import InputError, KiridashiError, SizeMismatchError, UsageError
from kiridashi.evaluate.episodes import FewShotSet, sample_episodes
from kiridashi.evaluate.pictures import together


def write(
    folder: Path,
    masks: Mapping[str, Sequence[int]],
    meta: Mapping[str, Any] | None = None,
    size: tuple[int, int] = (6, 8),
) -> Path:
    """A set whose pictures are plain; `masks` maps a name to its values in the first row."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for name, values in masks.items():
        labels = np.zeros(size, dtype=np.uint8)
        labels[0, : len(values)] = values
        Image.fromarray(np.full((*size, 3), 90, dtype=np.uint8)).save(folder / "images" / f"{name}.png")
        Image.fromarray(labels).save(folder / "masks" / f"{name}.png")
    if meta is not None:
        (folder / "meta.json").write_text(json.dumps(meta))
    return folder


CLASSES = {"classes": {"0": "background", "1": "nut", "2": "bolt", "3": "rare"}}


@pytest.fixture
def labelled(tmp_path: Path) -> FewShotSet:
    masks = {f"n{i}": [1] for i in range(4)} | {f"b{i}": [2, 2] for i in range(7)}
    masks |= {"both": [1, 2], "one": [3], "void": [255], "none": []}
    return FewShotSet(write(tmp_path / "site", masks, CLASSES))


def test_classes_of_label_maps(labelled: FewShotSet) -> None:
    assert labelled.name == "site"
    assert labelled.classes == {
        "nut": ("both", "n0", "n1", "n2", "n3"),
        "bolt": ("b0", "b1", "b2", "b3", "b4", "b5", "b6", "both"),
    }


def test_pictures_without_a_class_are_known(labelled: FewShotSet) -> None:
    assert labelled.without("nut") == ("b0", "b1", "b2", "b3", "b4", "b5", "b6", "none", "one", "void")
    assert "one" not in labelled.without("rare")


def test_reading_takes_one_class_and_keeps_void_apart(tmp_path: Path) -> None:
    source = FewShotSet(write(tmp_path, {"a": [1, 2, 255], "b": [1]}, CLASSES))
    example = source.read("a", "nut")
    assert example.picture.size == (6, 8)
    assert example.mask.box == (0, 0, 1, 1)
    assert example.ignore.box == (2, 0, 3, 1)
    assert example.as_reference().mask == example.mask


def test_items_may_name_their_class(tmp_path: Path) -> None:
    items = [{"id": name, "class": name[0]} for name in ("x1", "x2", "y1", "y2", "y3")]
    source = FewShotSet(write(tmp_path, {i["id"]: [1] for i in items}, {"items": items, "classes": {}}))
    assert source.classes == {"x": ("x1", "x2"), "y": ("y1", "y2", "y3")}
    assert source.read("y3", "y").mask.area == 1


def test_a_bare_folder_has_one_class_and_255_is_the_object(tmp_path: Path) -> None:
    source = FewShotSet(write(tmp_path, {"a": [255, 255], "b": [1], "c": []}))
    assert source.classes == {"object": ("a", "b")}
    example = source.read("a", "object")
    assert (example.mask.area, example.ignore.area) == (2, 0)


def test_episodes_are_disjoint_and_take_turns(labelled: FewShotSet) -> None:
    episodes = sample_episodes(labelled, shots=3, episodes=50, seed=0)
    assert [episode.label for episode in episodes[:4]] == ["nut", "bolt", "nut", "bolt"]
    for episode in episodes:
        drawn = {episode.query, *episode.supports}
        assert len(drawn) == 4
        assert drawn <= set(labelled.classes[episode.label])
    assert {episode.query for episode in episodes} > {"n0", "n1", "b0", "b1"}


def test_episodes_follow_the_seed(labelled: FewShotSet) -> None:
    assert sample_episodes(labelled, 2, 20, seed=4) == sample_episodes(labelled, 2, 20, seed=4)
    assert sample_episodes(labelled, 2, 20, seed=4) != sample_episodes(labelled, 2, 20, seed=5)


def test_a_longer_run_begins_with_the_shorter(labelled: FewShotSet) -> None:
    assert sample_episodes(labelled, 2, 30, seed=1)[:10] == sample_episodes(labelled, 2, 10, seed=1)


def test_more_shots_keep_the_query_and_the_first_supports(labelled: FewShotSet) -> None:
    for one, three in zip(
        sample_episodes(labelled, 1, 12, 0), sample_episodes(labelled, 3, 12, 0), strict=True
    ):
        assert (one.query, one.supports) == (three.query, three.supports[:1])


def test_a_small_class_gives_what_it_has(labelled: FewShotSet) -> None:
    by_label = {episode.label: len(episode.supports) for episode in sample_episodes(labelled, 6, 2, 0)}
    assert by_label == {"nut": 4, "bolt": 6}


def test_key_tells_episodes_apart(labelled: FewShotSet) -> None:
    episodes = sample_episodes(labelled, 2, 40, 0)
    distinct = {(episode.label, episode.query, episode.supports) for episode in episodes}
    assert len({episode.key for episode in episodes}) == len(distinct) > 10


@pytest.mark.parametrize(("shots", "count"), [(0, 5), (1, 0)])
def test_nothing_to_draw_is_refused(labelled: FewShotSet, shots: int, count: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        sample_episodes(labelled, shots, count, 0)


def test_a_set_needs_its_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        FewShotSet(tmp_path)


def test_a_set_needs_two_pictures_of_a_class(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 or more"):
        FewShotSet(write(tmp_path, {"a": [1], "b": []}))


def test_mask_of_another_size_is_named(tmp_path: Path) -> None:
    source = FewShotSet(write(tmp_path, {"a": [1], "b": [1]}))
    Image.fromarray(np.ones((3, 3), dtype=np.uint8)).save(tmp_path / "masks" / "a.png")
    with pytest.raises(SizeMismatchError, match=r"a\.png"):
        source.read("a", "object")


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"classes": {"one": "nut"}}', '{"items": [{"class": "x"}]}', '{"items": 3}', "[" * 10_000],
)
def test_a_damaged_meta_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path, {"a": [1], "b": [1]})
    (folder / "meta.json").write_text(text)
    with pytest.raises(KiridashiError, match=r"meta\.json"):
        FewShotSet(folder)


def test_a_rare_class_counts_where_one_picture_is_enough(tmp_path: Path) -> None:
    meta = {"classes": {"1": "dent", "2": "crack"}}
    folder = write(tmp_path / "set", {"a": [1], "b": [1], "c": [2], "d": []}, meta)
    assert set(FewShotSet(folder).classes) == {"dent"}
    every = FewShotSet(folder, least=1)
    assert every.classes == {"dent": ("a", "b"), "crack": ("c",)}
    assert together(every).without("any") == ("d",)
    before = every.fingerprint
    assert before == FewShotSet(folder).fingerprint
    (folder / "masks" / "d.png").write_bytes((folder / "masks" / "a.png").read_bytes() + b" ")
    assert before != FewShotSet(folder).fingerprint
