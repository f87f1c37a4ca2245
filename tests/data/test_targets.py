import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiridashi.core.errors import UsageError
from kiridashi.data.targets import Target, _fold, _unique_stems, find_targets


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(*arguments: str, exclude: tuple[str, ...] = ()) -> dict[str, str]:
    return {target.path.as_posix(): target.stem for target in find_targets(arguments, exclude)}


def test_a_folder_is_searched_in_natural_order(tree: Path) -> None:
    make("p/10.png", "p/2.png", "p/1.JPG", "p/sub/3.tiff", "p/notes.txt", "p/.hidden.png", "p/.cache/4.png")
    assert list(found("p")) == ["p/1.JPG", "p/2.png", "p/10.png", "p/sub/3.tiff"]


def test_a_named_file_is_kept_whatever_its_suffix(tree: Path) -> None:
    make("notes.txt", ".hidden.png", "a.png")
    assert list(found("notes.txt", ".hidden.png")) == ["notes.txt", ".hidden.png"]


def test_patterns(tree: Path) -> None:
    make("p/a1.png", "p/a2.txt", "p/b1.png", "p/deep/er/a3.png", "p/a[1].png")
    assert list(found("p/a*")) == ["p/a1.png", "p/a[1].png"]
    assert list(found(str(tree / "p" / "b?.png"))) == [(tree / "p" / "b1.png").as_posix()]
    assert list(found("p/a[1].png")) == ["p/a[1].png"]
    assert sorted(found("p/**/a*.png")) == ["p/a1.png", "p/a[1].png", "p/deep/er/a3.png"]
    assert list(found("p/d*")) == ["p/deep/er/a3.png"]


def test_the_order_of_the_arguments_is_kept_and_doubles_go(tree: Path) -> None:
    make("b.png", "a.png", "p/c.png")
    Path("link").symlink_to("p")
    again = ("b.png", "p", "./a.png", str(tree / "b.png"), "link/c.png", ".")
    assert list(found(*again)) == ["b.png", "p/c.png", "a.png"]


def test_an_output_folder_can_be_left_out(tree: Path) -> None:
    make("p/a.png", "p/out/masks/a.png")
    assert list(found("p", exclude=("p/out",))) == ["p/a.png"]
    assert list(found("p/**/*.png", exclude=("p/out",))) == ["p/a.png"]


@pytest.mark.parametrize(
    ("files", "stems"),
    [
        (["p/one.png", "p/two.png"], ["one", "two"]),
        (["a/part.jpg", "b/part.jpg"], ["a_part", "b_part"]),
        (["a/part.jpg", "b/Part.jpg", "c.jpg"], ["a_part", "b_Part", "c"]),
        (["p/part.jpg", "p/part.png"], ["part_jpg", "part_png"]),
        (["a/part.jpg", "a/part.png", "b/part.jpg"], ["a_part_jpg", "a_part_png", "b_part_jpg"]),
        (["a/x/part.jpg", "b/x/part.jpg"], ["a_x_part", "b_x_part"]),
    ],
)
def test_stems(tree: Path, files: list[str], stems: list[str]) -> None:
    make(*files)
    assert [found(*files)[file] for file in files] == stems
    backwards = files[::-1]
    assert [found(*backwards)[file] for file in files] == stems


def test_a_qualified_stem_does_not_meet_another_file(tree: Path) -> None:
    files = ["a/part.jpg", "b/part.jpg", "a_part.png"]
    make(*files)
    stems = found(*files)
    assert len(set(stems.values())) == 3
    assert stems["b/part.jpg"] == "b_part"
    assert stems == found(*files[::-1])


def test_letter_case_alone_is_told_apart(tree: Path) -> None:
    files = ["A/part.jpg", "a/part.jpg", "p/X.png", "p/x.png"]
    make(*files)
    stems = [stem.casefold() for stem in found(*files).values()]
    assert len(set(stems)) == len(stems)


def test_stems_are_valid_file_names_everywhere(tree: Path) -> None:
    awkward = [
        "con.png",
        "a:b?.png",
        "line\nbreak.png",
        "end. .png",
        "部" * 80 + ".png",
        os.fsdecode(b"\xff.png"),
    ]
    make(*awkward)
    for stem in found(*awkward).values():
        assert not set(stem) & set('<>:"/\\|?*\n')
        assert len(stem.encode()) <= 250
        assert stem.strip(" .") == stem
        assert stem.split(".")[0] != "con"


@given(
    st.sets(
        st.tuples(
            st.sampled_from(["a", "A", "b", "a_b", "b/a"]), st.sampled_from(["p", "P", "a_p", "p_jpg"])
        ),
        max_size=12,
    ),
    st.sampled_from([(".jpg",), (".jpg", ".png")]),
)
def test_stems_are_always_unique_and_independent_of_order(
    pairs: set[tuple[str, str]], suffixes: tuple[str, ...]
) -> None:
    paths = sorted(Path("/root", folder, stem + suffix) for folder, stem in pairs for suffix in suffixes)
    stems = _unique_stems(paths, [path.name for path in paths])
    assert len({_fold(stem) for stem in stems}) == len(paths)
    backwards = _unique_stems(paths[::-1], [path.name for path in paths[::-1]])
    assert backwards[::-1] == stems


def test_what_matches_nothing_is_refused_with_a_hint(tree: Path) -> None:
    make("photos/part.png", "texts/notes.txt")
    with pytest.raises(UsageError, match=r"did you mean photos/part\.png"):
        find_targets(["photos/prat.png"])
    with pytest.raises(UsageError, match="no pictures there"):
        find_targets(["texts"])
    with pytest.raises(UsageError, match="no pictures there"):
        find_targets(["photos/*.jpg"])
    with pytest.raises(UsageError, match="no such file"):
        find_targets(["nowhere/at/all.png"])
    for arguments in ([], [""], ["nul\0.png"], ["x" * 5000]):
        with pytest.raises(UsageError):
            find_targets(arguments)


def test_one_target(tree: Path) -> None:
    make("a.png")
    assert find_targets([Path("a.png")]) == [Target(Path("a.png"), "a")]
