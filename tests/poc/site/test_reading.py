from pathlib import Path

import pytest

from kiridashi.core.errors import InputError
from kiridashi.poc.site import EXAMPLE, read_site
from kiridashi.poc.site.schema import Site

SMALL = """\
title: Covers
use_cases:
  - name: scratches
    data: {folder: covers}
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "site.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_example_is_a_site_file_and_names_every_part(tmp_path: Path) -> None:
    site = read_site(write(tmp_path, EXAMPLE)).site
    (case,) = site.use_cases
    assert case.money is not None
    assert case.money.introduction.years == 3
    assert case.against == "forest"
    for part in [*Site.model_fields, *type(case).model_fields, *type(case.budget).model_fields]:
        assert f"{part}:" in EXAMPLE, part


def test_a_small_file_gets_defaults(tmp_path: Path) -> None:
    case = read_site(write(tmp_path, SMALL)).site.use_cases[0]
    assert case.budget.shots == [1, 3, 10]
    assert case.against == "forest"
    assert case.money is None


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("title: Covers", "titel: Covers", "line 1: titel: there is no such key; did you mean title?"),
        ("title: Covers\n", "", "title: this key is missing"),
        ("folder: covers", "folder: 7", "line 4: use_cases.1.data.folder"),
        ("name: scratches", "name: scratches\n    needed: {iou: 5}", "needed.iou: Input should be less than"),
        ("name: scratches", "name: scratches\n    baseline: tree", "baseline: expected one of prototype"),
        ("name: scratches", "name: scratches\n    budget: {shots: [3, 3]}", "expected different numbers"),
        ("name: scratches", "name: scratches\n    name: dents", "line 4: name: stands here a second time"),
        ("title: Covers", "title: &a Covers\ncurrency: *a", "aliases"),
        ("title: Covers", "title: [Covers", "no valid YAML"),
        ("title: Covers", "title: !!python/object/apply:os.getcwd []", "no valid YAML"),
        ("title: Covers", "title: 2024-99-99", "no valid YAML"),
        ("title: Covers", "seed: .nan", "seed"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_key(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    assert before in SMALL
    with pytest.raises(InputError) as caught:
        read_site(write(tmp_path, SMALL.replace(before, after)))
    assert told in str(caught.value)
    assert "site.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "just words", "[1, 2]", b"\xff\xfe\x00", "a: " + "[" * 500_000, "? [a]\n: b", "#" * (2**20 + 1)],
)
def test_what_is_no_site_file_is_refused(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(InputError):
        read_site(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "just words",
            "YAML with keys such as title and use_cases, got the text 'just words'; `kiridashi poc new`",
        ),
        ("[1, 2]", "got a list"),
        ("42", "got 42"),
        ("# a remark", "got nothing"),
        ("Plan: first: this", "a site file is YAML, `kiridashi poc new` writes one"),
        (SMALL.replace("{folder: covers}", "covers"), "expected keys with their values (folder, pictures,"),
        (SMALL.replace("  - name", "    name"), "expected a list, got keys"),
        (
            SMALL + "    conditions: {planned: [day]}\n",
            "planned: expected keys with their values, got a list",
        ),
    ],
)
def test_what_has_another_shape_is_told_in_plain_words(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_site(write(tmp_path, text))
    assert told in str(caught.value)
    assert "valid dictionary" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["../other", "/etc", "a/../../other", "C:\\pictures", "..\\other", "\\\\server\\share", "link"]
)
def test_paths_stay_inside(tmp_path: Path, name: str) -> None:
    root = tmp_path / "site"
    root.mkdir()
    (tmp_path / "other").mkdir()
    (root / "link").symlink_to(tmp_path / "other")
    file = read_site(write(root, SMALL))
    with pytest.raises(InputError, match="leads out of"):
        file.inside(name)
    assert file.inside("covers\\new") == (root / "covers" / "new").resolve()


def test_another_root_may_be_named(tmp_path: Path) -> None:
    file = read_site(write(tmp_path, SMALL), tmp_path / "data")
    assert file.inside("covers") == (tmp_path / "data" / "covers").resolve()


def test_use_cases_must_not_share_a_folder(tmp_path: Path) -> None:
    twice = SMALL + "  - name: Scratches!\n    data: {folder: covers}\n"
    with pytest.raises(InputError, match="expected different names"):
        read_site(write(tmp_path, twice))


def test_numbers_and_truth_values_become_words_among_conditions(tmp_path: Path) -> None:
    text = SMALL + "    conditions: {planned: {line: [1, 2], lamp: [on, off]}}\n"
    planned = read_site(write(tmp_path, text)).site.use_cases[0].conditions.planned
    assert planned == {"line": ["1", "2"], "lamp": ["true", "false"]}
