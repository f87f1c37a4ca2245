"""Annotation files that were damaged, or made to do damage."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.data.formats.made import small_set, write_png

from kiridashi.core.errors import InputError
from kiridashi.data.formats import FORMATS, faults, read_set, write_set
from kiridashi.data.formats.finding import safe_name

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;">]>
<annotations><image id="0" name="&c;" width="5" height="5"/></annotations>"""
EXTERNAL = """<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>
<annotations><image id="0" name="&file;" width="5" height="5"/></annotations>"""


def coco(**changes: Any) -> dict[str, Any]:
    image = {"id": 1, "file_name": "a.png", "height": 20, "width": 24, **changes.pop("image", {})}
    mark = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [2, 3, 6, 6],
        "segmentation": [[2, 3, 8, 3, 8, 9, 2, 9]],
        **changes.pop("mark", {}),
    }
    return {"images": [image], "annotations": [mark], "categories": [{"id": 1, "name": "x"}]}


def kinds(path: Path) -> list[str]:
    return [problem.kind for picture in read_set(path) for problem in picture.problems]


@pytest.mark.parametrize("text", [BOMB, EXTERNAL])
def test_entities_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(InputError, match="declares a document type or entities"):
        read_set(tmp_path)
    (tmp_path / "voc" / "Annotations").mkdir(parents=True)
    (tmp_path / "voc" / "Annotations" / "a.xml").write_text(text.replace("annotations>", "annotation>"))
    write_png(tmp_path / "voc" / "JPEGImages" / "a.png")
    (picture,) = read_set(tmp_path / "voc")
    assert [one.kind for one in picture.problems] == ["damaged"]
    assert "document type" in picture.problems[0].text


def test_a_configuration_with_entities_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text("[]")
    (tmp_path / "config.xml").write_text(BOMB)
    with pytest.raises(InputError, match="declares a document type or entities"):
        read_set(tmp_path)


def test_xml_nested_deeply_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotations>" + "<a>" * 5000 + "</a>" * 5000 + "</annotations>")
    with pytest.raises(InputError, match="nested too deeply"):
        read_set(tmp_path / "a.xml")


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "../../secret.png",
        "images/../../secret.png",
        "/secret.png",
        "C:\\secret.png",
        "..\\..\\secret.png",
        "\\\\server\\share\\secret.png",
        "file:///secret.png",
        "",
        "a\0.png",
        "x" * 5000,
        None,
        7,
    ],
)
def test_no_name_leads_out_of_the_folder(name: object, tmp_path: Path) -> None:
    write_png(tmp_path / "secret.png")
    home = tmp_path / "set"
    (home / "images").mkdir(parents=True)
    (home / "c.json").write_text(json.dumps(coco(image={"file_name": name})))
    (picture,) = read_set(home / "c.json")
    assert picture.path is None
    assert picture.problems[0].kind in ("missing-file", "outside-folder")
    for fmt in ("coco", "cvat", "labelme", "label-map", "label-studio", "voc"):
        write_set(read_set(home / "c.json"), tmp_path / "out" / fmt, fmt)
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    allowed = (home, tmp_path / "out", tmp_path / "secret.png")
    assert all(any(file.is_relative_to(root) for root in allowed) for file in written)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    write_png(tmp_path / "secret.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "set" / "c.json").write_text(json.dumps(coco()))
    (picture,) = read_set(tmp_path / "set" / "c.json")
    assert picture.path is None
    assert [one.kind for one in picture.problems] == ["outside-folder"]


@pytest.mark.parametrize("name", ["sub\\a.png", "C:\\data\\sub\\a.png", "/home/x/sub/a.png"])
def test_names_of_other_computers_find_the_picture_here(name: str, tmp_path: Path) -> None:
    write_png(tmp_path / "sub" / "a.png")
    (tmp_path / "c.json").write_text(json.dumps(coco(image={"file_name": name})))
    (picture,) = read_set(tmp_path / "c.json")
    assert (picture.name, picture.problems) == ("sub/a.png", ())


@pytest.mark.parametrize(
    ("written", "safe"),
    [
        ("a/b.png", "a/b.png"),
        ("../a.png", "a.png"),
        ("/x/a.png", "a.png"),
        ("C:\\x\\a.png", "a.png"),
        ("..", "picture"),
    ],
)
def test_safe_names(written: str, safe: str) -> None:
    assert safe_name(written) == safe


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"mark": {"bbox": [float("nan"), 0, 1, 1]}}, "stated-box"),
        ({"mark": {"bbox": [float("nan"), 0, 1, 1], "segmentation": None}}, "not-finite"),
        ({"mark": {"bbox": [0, 0, float("inf"), 1], "segmentation": []}}, "not-finite"),
        ({"mark": {"bbox": [0, 0, 10**400, 1], "segmentation": []}}, "not-finite"),
        ({"mark": {"segmentation": [[2, 3, float("nan"), 3, 8, 9]]}}, "not-finite"),
        ({"mark": {"segmentation": [[2, 3, 1e300, 3, 8, 9]]}}, "outside-picture"),
        ({"mark": {"segmentation": {"size": [20, 24], "counts": [5, 10**18]}}}, "damaged"),
        ({"mark": {"segmentation": {"size": [20, 24], "counts": [-5, 485]}}}, "damaged"),
        ({"mark": {"segmentation": {"size": [20, 24], "counts": "o" * 400}}}, "damaged"),
        ({"mark": {"segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}}, "annotation-size"),
        ({"mark": {"segmentation": 5}}, "damaged"),
        (
            {"mark": {"score": float("nan"), "attributes": {"a": float("inf")}, "bbox": [2, 3, 0, 0]}},
            "stated-box",
        ),
        ({"mark": {"category_id": 77}}, "unknown-class"),
        ({"mark": {"category_id": True}}, "unknown-class"),
        ({"mark": {"category_id": [1]}}, "unknown-class"),
        ({"image": {"height": 10**6, "width": 10**6}}, "size-limit"),
        ({"image": {"height": -4, "width": 5}}, "no-size"),
        ({"image": {"height": "20", "width": 24}}, "no-size"),
    ],
)
def test_one_bad_annotation_is_a_problem_of_its_picture(
    changes: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    write_png(tmp_path / "a.png")
    document = coco(**changes)
    document["images"].append({"id": 2, "file_name": "b.png", "height": 20, "width": 24})
    document["annotations"].append({**coco()["annotations"][0], "id": 2, "image_id": 2})
    write_png(tmp_path / "b.png")
    (tmp_path / "c.json").write_text(json.dumps(document))
    first, second = read_set(tmp_path / "c.json")
    assert [one.kind for one in first.problems] == [kind]
    assert len(second.annotations) == 1
    written = write_set(read_set(tmp_path / "c.json"), tmp_path / "out", "cvat")
    assert [one.kind for one in written.problems] == [kind]


CVAT = """<annotations><meta><task><labels><label><name>x</name></label></labels></task></meta>
<image id="0" name="a.png" width="24" height="20">{}</image></annotations>"""


@pytest.mark.parametrize(
    ("element", "kind"),
    [
        ('<mask label="x" rle="1,999999999999999" left="0" top="0" width="2" height="2"/>', "damaged"),
        ('<mask label="x" rle="4" left="0" top="0" width="999999" height="999999"/>', "outside-picture"),
        ('<mask label="x" rle="4" left="23" top="0" width="2" height="2"/>', "outside-picture"),
        ('<mask label="x" rle="a,b" left="0" top="0" width="2" height="2"/>', "damaged"),
        ('<mask label="x" rle="4" left="nan" top="0" width="2" height="2"/>', "not-finite"),
        ('<box label="x" xtl="nan" ytl="0" xbr="3" ybr="3"/>', "not-finite"),
        ('<box label="x" xtl="5" ytl="0" xbr="3" ybr="3"/>', "bad-box"),
        ('<polygon label="x" points="1,2;3"/>', "damaged"),
        ('<polygon label="x" points="nan,2;3,4;5,6"/>', "not-finite"),
        ('<polygon label="y" points="1,2;3,4;5,1"/>', "unknown-class"),
    ],
)
def test_bad_elements_of_cvat(element: str, kind: str, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png")
    (tmp_path / "annotations.xml").write_text(CVAT.format(element))
    assert kinds(tmp_path) == [kind]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("0 nan 0.5 0.1 0.1", "not-finite"),
        ("0 0.5 0.5 inf 0.1", "not-finite"),
        ("0 0.5 0.5 -0.1 0.1", "bad-box"),
        ("9 0.5 0.5 0.1 0.1", "unknown-class"),
        ("nan 0.5 0.5 0.1 0.1", "damaged"),
        ("0 a b c d", "damaged"),
        ("0 0.5", "damaged"),
        ("0 50 50 60 50 60 60", "outside-picture"),
    ],
)
def test_bad_lines_of_yolo(line: str, kind: str, tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text(line + "\n")
    (tmp_path / "classes.txt").write_text("x\n")
    assert kinds(tmp_path) == [kind]


@pytest.mark.parametrize("path", ["/etc", "../../etc", "..", "~", "C:\\Windows"])
def test_folders_in_a_yolo_file_stay_inside(path: str, tmp_path: Path) -> None:
    write_png(tmp_path / "other" / "secret.png")
    write_png(tmp_path / "set" / "images" / "a.png")
    for text in (f"path: {path}\ntrain: images\n", f"train: {path}/other\n"):
        (tmp_path / "set" / "data.yaml").write_text(f"{text}names: [x]\n")
        try:
            found = [one.path for one in read_set(tmp_path / "set")]
        except InputError:
            continue
        assert found == [tmp_path / "set" / "images" / "a.png"]


def test_yaml_that_would_run_code_or_fill_the_memory(tmp_path: Path) -> None:
    file = tmp_path / "data.yaml"
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefghijk", "bcdefghijkl", strict=True)
    )
    for text in ("names: !!python/object/apply:os.system ['true']", "names: [x\n", bomb + "names: *l\n"):
        file.write_text(text)
        with pytest.raises(InputError):
            read_set(file)


@pytest.mark.parametrize(
    "value", ["a", {"format": "rle"}, [1, 2, 3], [300], [1] * 5000, [0, 0, 7, 128, 57, 27, 255]]
)
def test_bad_brush_masks(value: object, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png")
    result = {
        "type": "brushlabels",
        "id": "q",
        "original_width": 24,
        "original_height": 20,
        "value": {"format": "rle", "rle": value, "brushlabels": ["x"]},
    }
    task = {"data": {"image": "a.png"}, "annotations": [{"result": [result]}]}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    (kind,) = kinds(tmp_path)
    assert kind in ("damaged", "annotation-size")


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "[1]", '{"images": 1, "annotations": []}', "[" * 100_000, "\xff"]
)
@pytest.mark.parametrize("name", ["coco", "labelme", "label-studio"])
def test_broken_json_is_one_line(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError) as caught:
        read_set(tmp_path / "x.json", name)
    assert "\n" not in str(caught.value)


def test_a_hundred_thousand_annotations_of_one_picture(tmp_path: Path) -> None:
    document = coco()
    mark = document["annotations"][0]
    rle = {"size": [20, 24], "counts": [50, 6, 424]}
    document["annotations"] = [
        {**mark, "id": number, **({"segmentation": rle} if number % 10 == 0 else {})}
        for number in range(100_000)
    ]
    (tmp_path / "c.json").write_text(json.dumps(document))
    write_png(tmp_path / "a.png")
    (picture,) = read_set(tmp_path / "c.json")
    assert len(picture.annotations) == 100_000
    # Boxed bitmaps and outlines: nothing of the picture's size is kept for each.
    assert sum(getattr(one.shape, "bitmap", mark["bbox"]).__len__() for one in picture.annotations) < 10**6


def test_bitmaps_that_would_fill_the_memory_are_not_all_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each is as large as its picture of 16 megapixels, and some 30 bytes in the file.
    document = coco(image={"height": 4000, "width": 4000})
    mark = {**document["annotations"][0], "segmentation": {"size": [4000, 4000], "counts": [0, 16_000_000]}}
    document["annotations"] = [{**mark, "bbox": None, "id": number} for number in range(10_000)]
    (tmp_path / "c.json").write_text(json.dumps(document))
    monkeypatch.setattr(faults, "MAX_BITMAP_PIXELS", 2 * 16_000_000)
    (picture,) = read_set(tmp_path / "c.json")
    assert len(picture.annotations) == 2
    assert [one.kind for one in picture.problems] == ["missing-file", "too-large"]


def test_more_objects_than_a_format_can_number_leave_the_picture_out(tmp_path: Path) -> None:
    document = coco()
    mark = document["annotations"][0]
    document["annotations"] = [{**mark, "id": number} for number in range(300)]
    (tmp_path / "c.json").write_text(json.dumps(document))
    for name in ("voc", "instance-map"):
        written = write_set(read_set(tmp_path / "c.json"), tmp_path / name, name)
        assert "too-many" in [one.kind for one in written.problems]
        assert written.pictures == 0
    assert write_set(read_set(tmp_path / "c.json"), tmp_path / "m", "label-map").pictures == 1


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_bytes_never_leave_a_traceback(name: str, tmp_path: Path) -> None:
    write_set(small_set(tmp_path / "in", 0 if name == "yolo" else 1), tmp_path / "out", name)
    files = [
        file for file in (tmp_path / "out").rglob("*") if file.suffix in (".json", ".xml", ".txt", ".yaml")
    ]
    told: list[str] = []
    for file in files:
        whole = file.read_bytes()
        for cut in (len(whole) // 3, len(whole) // 2, len(whole) - 3):
            for damaged in (whole[:cut], whole[:cut] + b"\x00\xff<{[" + whole[cut + 5 :]):
                file.write_bytes(damaged)
                try:
                    list(read_set(tmp_path / "out", name))
                except InputError as error:
                    told.append(str(error))
        file.write_bytes(whole)
    assert all("\n" not in text for text in told)
