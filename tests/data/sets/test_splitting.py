from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.data.formats.made import in_memory, write_png

from kiridashi.core.errors import UsageError
from kiridashi.data.formats import AnnotatedPicture, AnnotatedSet, Annotation, Box
from kiridashi.data.sets import Part, divide, read_parts


def made(labels: list[list[int]], tags: list[dict[str, str]] | None = None) -> AnnotatedSet:
    pictures = [
        AnnotatedPicture(
            f"{place}.png",
            (9, 9),
            tuple(Annotation(label, Box(0, 0, 3, 3)) for label in each),
            tags=tags[place] if tags else {},
        )
        for place, each in enumerate(labels)
    ]
    return in_memory(pictures, {1: "a", 2: "b", 3: "c"})


def test_every_class_is_in_proportion() -> None:
    annotated = made([[1]] * 50 + [[2]] * 30 + [[3]] * 10 + [[]] * 10)
    division = divide(annotated, read_parts("train=0.6,val=0.2,test=0.2"), likeness=False)
    assert division.counts() == {"train": 60, "val": 20, "test": 20}
    assert division.by_class() == {
        1: {"train": 30, "val": 10, "test": 10},
        2: {"train": 18, "val": 6, "test": 6},
        3: {"train": 6, "val": 2, "test": 2},
    }


def test_counts_and_the_rest() -> None:
    annotated = made([[1]] * 20 + [[2]] * 20)
    division = divide(annotated, read_parts("train=10,test=rest"), likeness=False)
    assert division.counts() == {"train": 10, "test": 30}
    assert division.by_class()[1]["train"] == 5
    few = divide(annotated, read_parts("train=4,test=6"), likeness=False)
    assert few.counts() == {"train": 4, "test": 6}
    assert few.by_class()[1] == {"train": 2, "test": 3, "-": 15}
    names = [(one.name, one.split) for one in few.apply(annotated)]
    assert len(names) == 10
    assert {split for _, split in names} == {"train", "test"}


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(1, 3), max_size=3), st.sampled_from("ABCDE")), min_size=4, max_size=40
    ),
    st.integers(0, 5),
)
def test_groups_are_never_divided_and_every_picture_is_in_one_part(
    rows: list[tuple[list[int], str]], seed: int
) -> None:
    annotated = made([labels for labels, _ in rows], [{"tile": tile} for _, tile in rows])
    division = divide(annotated, read_parts("train=0.7,test=rest"), seed=seed, likeness=False, tags=["tile"])
    assert None not in division.parts
    for tile in "ABCDE":
        assert len({part for part, (_, own) in zip(division.parts, rows, strict=True) if own == tile}) <= 1
    assert division == divide(
        annotated, read_parts("train=0.7,test=rest"), seed=seed, likeness=False, tags=["tile"]
    )


def test_the_seed_decides() -> None:
    annotated = made([[1]] * 30)
    parts = {
        divide(annotated, read_parts("train=0.5,test=0.5"), seed=seed, likeness=False).parts
        for seed in range(4)
    }
    assert len(parts) == 4


def test_pictures_that_look_the_same_stay_together(tmp_path: Path) -> None:
    pictures = []
    for place in range(8):
        path = write_png(tmp_path / f"{place}.png", (40, 40), place)
        Image.open(path).save(tmp_path / f"{place}.jpg", quality=70)
        pictures += [
            AnnotatedPicture(name, (40, 40), (Annotation(1, Box(0, 0, 3, 3)),), tmp_path / name)
            for name in (f"{place}.png", f"{place}.jpg")
        ]
    division = divide(in_memory(pictures, {1: "a"}), read_parts("train=0.5,test=0.5"), seed=3)
    assert division.counts() == {"train": 8, "test": 8}
    assert division.parts[0::2] == division.parts[1::2]
    assert len(set(division.groups)) == 8


def test_parts_as_they_are_written() -> None:
    assert read_parts("train=0.8, test=0.2") == [Part("train", share=0.8), Part("test", share=0.2)]
    assert read_parts("a=10,b=rest") == [Part("a", count=10), Part("b")]
    assert read_parts("all=1") == [Part("all", share=1.0)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "train",
        "train=",
        "=0.5",
        "train=x",
        "train=-1",
        "train=0",
        "a=0.5,a=0.5",
        "a=0.7,b=0.7",
        "a=rest,b=rest",
        "a=nan",
    ],
)
def test_parts_that_make_no_sense(text: str) -> None:
    with pytest.raises(UsageError):
        read_parts(text)


def test_more_than_there_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="50 pictures are asked for, and the set has 4"):
        divide(made([[1]] * 4), read_parts("train=50"), likeness=False)
    with pytest.raises(UsageError, match="no picture has a tag 'tile'"):
        divide(made([[1]] * 4), read_parts("train=0.5"), likeness=False, tags=["tile"])
