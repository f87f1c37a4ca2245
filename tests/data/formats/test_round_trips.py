"""Every format gives back what it was given, but for what docs/data-formats.md says that it loses."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.data.formats.made import (
    NESTED,
    RASTER,
    assert_same_masks,
    in_memory,
    small_set,
    sorted_pictures,
    visible,
    write_png,
)

from kiridashi.core.mask import Mask
from kiridashi.data.formats import FORMATS, AnnotatedPicture, Annotation, Box, Polygons, read_set, write_set

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=8)


@st.composite
def pictures(draw: st.DrawFn, folder: Path, classes: list[int]) -> list[AnnotatedPicture]:
    found = []
    for place in range(draw(st.integers(1, 3))):
        size = (draw(st.integers(3, 14)), draw(st.integers(3, 14)))
        annotations = []
        labels = draw(arrays(np.uint8, size, elements=st.integers(0, 3)))
        for value in range(1, 4):
            mask = Mask.from_array(labels == value)
            annotations += [] if mask.is_empty else [Annotation(draw(st.sampled_from(classes)), mask)]
        for _ in range(draw(st.integers(0, 2))):
            side = st.integers(0, 4 * max(size)).map(lambda v: v / 4)
            points = np.array(draw(st.lists(st.tuples(side, side), min_size=3, max_size=6)), float)
            shape = Polygons((np.clip(points, 0, (size[1], size[0])),))
            one = Annotation(draw(st.sampled_from(classes)), shape)
            if not one.mask(size).is_empty:
                annotations.append(one)
        name = f"p{place}.png"
        split = draw(st.sampled_from(["train", "val", "test"]))
        tags = draw(st.dictionaries(st.sampled_from(["light", "angle"]), st.sampled_from(["dim", "left 5"])))
        path = write_png(folder / name, size, place)
        found.append(AnnotatedPicture(name, size, tuple(annotations), path, split=split, tags=tags))
    return found


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=12)
@given(data=st.data())
def test_masks_names_ids_splits_and_tags_come_back(name: str, data: st.DataObject) -> None:
    first = 0 if name == "yolo" else 1
    names = data.draw(st.lists(NAMES, min_size=2, max_size=3, unique_by=str.casefold))
    classes = dict(enumerate(names, start=first))
    with TemporaryDirectory() as folder:
        given_set = in_memory(data.draw(pictures(Path(folder), list(classes))), classes)
        written = write_set(given_set, Path(folder) / "out", name)
        assert written.problems == []
        back = read_set(Path(folder) / "out")
        assert back.format == name
        if name == "instance-map":  # names those that occur
            assert set(back.classes.items()) <= set(classes.items())
        else:
            assert dict(back.classes) == classes
        ours, theirs = sorted_pictures(given_set), sorted_pictures(back)
        assert [(p.name, p.split, dict(p.tags)) for p in ours] == [
            (p.name, p.split, dict(p.tags)) for p in theirs
        ]
        for one, other in zip(ours, theirs, strict=True):
            expected = visible(one) if name in RASTER else one
            if name == "voc":  # what others cover wholly keeps its box
                other = AnnotatedPicture(
                    other.name,
                    other.size,
                    tuple(a for a in other.annotations if not isinstance(a.shape, Box)),
                )
            assert_same_masks(expected, other, merged=name == "label-map")


@pytest.mark.parametrize("name", FORMATS)
def test_writing_what_was_read_gives_the_same_files(name: str, tmp_path: Path) -> None:
    write_set(small_set(tmp_path / "in", 0 if name == "yolo" else 1), tmp_path / "one", name)
    first = read_set(tmp_path / "one")
    written = write_set(first, tmp_path / "two", name)
    assert written.problems == []
    assert not any("class" in lost for lost in written.lost)
    one, two = (
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()}
        for f in (tmp_path / "one", tmp_path / "two")
    )
    assert one.keys() == two.keys()
    if name == "cvat":  # the name of the task is that of the folder
        one, two = (
            {
                k: v.replace(b">one<", b"><").replace(b">made<", b"><").replace(b">two<", b"><")
                for k, v in each.items()
            }
            for each in (one, two)
        )
    assert one == two


@pytest.mark.parametrize("name", NESTED)
def test_folders_in_names_are_kept(name: str, tmp_path: Path) -> None:
    path = write_png(tmp_path / "in" / "day 1" / "a.png")
    mask = Mask.from_array(np.eye(20, 24, dtype=bool))
    picture = AnnotatedPicture("day 1/a.png", (20, 24), (Annotation(1, mask),), path)
    write_set(in_memory([picture], {1: "x"}), tmp_path / "out", name)
    (back,) = sorted_pictures(read_set(tmp_path / "out"))
    assert back.name == "day 1/a.png"
    assert back.path is not None
    assert back.path.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_names_that_a_format_cannot_tell_apart_are_changed(name: str, tmp_path: Path) -> None:
    found = []
    for place, written in enumerate(["x/a.png", "y/a.png", "Y/A.PNG"]):
        path = write_png(tmp_path / str(place) / "a.png", seed=place)
        bitmap = np.zeros((20, 24), bool)
        bitmap[place] = True
        found.append(AnnotatedPicture(written, (20, 24), (Annotation(1, Mask.from_array(bitmap)),), path))
    write_set(in_memory(found, {1: "x"}), tmp_path / "out", name)
    back = sorted_pictures(read_set(tmp_path / "out"))
    assert len({one.name.casefold() for one in back}) == 3
    assert all(one.path is not None for one in back)
    rows = {one.path.read_bytes(): one.annotations[0].mask(one.size).box[1] for one in back if one.path}
    assert rows == {one.path.read_bytes(): place for place, one in enumerate(found) if one.path}


@pytest.mark.parametrize(("name", "kept"), [("coco", {7: "x", 90: "y"}), ("label-map", {7: "x", 90: "y"})])
def test_gaps_between_ids_are_kept_where_the_format_can(
    name: str, kept: dict[int, str], tmp_path: Path
) -> None:
    picture = AnnotatedPicture("a.png", (4, 5), (Annotation(90, Mask.from_array(np.ones((4, 5)))),))
    write_set(in_memory([picture], kept), tmp_path / "out", name)
    assert dict(read_set(tmp_path / "out").classes) == kept


def test_where_it_cannot_they_are_numbered_anew_and_that_is_told(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", (4, 5))
    picture = AnnotatedPicture("a.png", (4, 5), (Annotation(90, Mask.from_array(np.ones((4, 5)))),), path)
    written = write_set(in_memory([picture], {7: "x", 90: "y"}), tmp_path / "out", "yolo")
    assert written.lost == {"ids of classes (numbered anew)": 2}
    back = read_set(tmp_path / "out")
    assert dict(back.classes) == {0: "x", 1: "y"}
    assert sorted_pictures(back)[0].labels() == (1,)


@pytest.mark.parametrize("name", ["coco", "labelme", "label-studio", "yolo"])
def test_scores_come_back(name: str, tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", (4, 5))
    ones = Annotation(1, Mask.from_array(np.ones((4, 5))), score=0.625)
    write_set(in_memory([AnnotatedPicture("a.png", (4, 5), (ones,), path)], {1: "x"}), tmp_path / "out", name)
    assert sorted_pictures(read_set(tmp_path / "out"))[0].annotations[0].score == 0.625


@pytest.mark.parametrize("name", ["coco", "cvat", "labelme", "label-studio", "voc"])
def test_attributes_come_back(name: str, tmp_path: Path) -> None:
    write_set(small_set(tmp_path / "in"), tmp_path / "out", name)
    found = sorted_pictures(read_set(tmp_path / "out"))[0].annotations[0]
    assert dict(found.attributes) == {"side": "left", "sure": True}


@pytest.mark.parametrize("name", ["coco", "cvat", "labelme", "label-studio", "voc", "yolo"])
def test_boxes_stay_boxes(name: str, tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", (20, 24))
    box = Annotation(1, Box(2.0, 3.0, 12.0, 9.0))
    write_set(
        in_memory([AnnotatedPicture("a.png", (20, 24), (box,), path)], {1: "x"}), tmp_path / "out", name
    )
    assert sorted_pictures(read_set(tmp_path / "out"))[0].annotations[0].shape == Box(2.0, 3.0, 12.0, 9.0)


@pytest.mark.parametrize("name", RASTER)
def test_pixels_that_count_neither_way_come_back(name: str, tmp_path: Path) -> None:
    ignore = np.zeros((6, 7), bool)
    ignore[0] = True
    inside = np.zeros((6, 7), bool)
    inside[2:4] = True
    picture = AnnotatedPicture(
        "a.png", (6, 7), (Annotation(1, Mask.from_array(inside)),), ignore=Mask.from_array(ignore)
    )
    write_set(in_memory([picture], {1: "x"}), tmp_path / "out", name)
    (back,) = read_set(tmp_path / "out")
    assert back.ignore == picture.ignore
    assert_same_masks(picture, back)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("source", ["magnetic_tile", "voc_animals_instances", "neu_seg"])
def test_real_masks_come_back_whole(name: str, source: str, shared_data: Path, tmp_path: Path) -> None:
    every = read_set(shared_data / source).load()
    chosen = [one for one in every if one.annotations][:: 6 if source == "voc_animals_instances" else 15]
    first = 0 if name == "yolo" else 1
    moved = {label: place for place, label in enumerate(sorted(every.classes), start=first)}
    for one in chosen:
        assert one.annotations
    given_set = in_memory(
        [
            AnnotatedPicture(
                one.name,
                one.size,
                tuple(Annotation(moved[a.label], a.shape) for a in one.annotations),
                one.path,
            )
            for one in chosen
        ],
        {moved[label]: text for label, text in every.classes.items()},
    )
    written = write_set(given_set, tmp_path / "out", name, pictures="link")
    assert written.problems == []
    ours, theirs = sorted_pictures(given_set), sorted_pictures(read_set(tmp_path / "out"))
    assert [one.name for one in ours] == [one.name for one in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert_same_masks(one, other, merged=name in ("label-map",))
