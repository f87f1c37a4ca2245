"""Files as the tools themselves write them, in small."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.formats.made import png_text, sorted_pictures, write_png

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.data.formats import Box, Polygons, detect, read_set, write_set
from kiridashi.data.formats.brush import decode_brush, encode_brush
from kiridashi.data.formats.faults import Fault
from kiridashi.data.formats.voc_writing import voc_palette

SQUARE = [2.0, 3.0, 8.0, 3.0, 8.0, 9.0, 2.0, 9.0]


def block(rows: slice, columns: slice, size: tuple[int, int] = (20, 24)) -> Mask:
    full = np.zeros(size, bool)
    full[rows, columns] = True
    return Mask.from_array(full)


def test_coco_of_the_challenge(tmp_path: Path) -> None:
    write_png(tmp_path / "val2017" / "000000000139.png")
    document = {
        "info": {"year": 2017, "version": "1.0"},
        "licenses": [{"id": 2, "name": "CC BY"}],
        "images": [
            {
                "license": 2,
                "file_name": "000000000139.png",
                "coco_url": "http://images.example.org/val2017/000000000139.jpg",
                "height": 20,
                "width": 24,
                "date_captured": "2013-11-21 01:34:01",
                "id": 139,
            }
        ],
        "annotations": [
            {
                "segmentation": [SQUARE],
                "area": 36.0,
                "iscrowd": 0,
                "image_id": 139,
                "bbox": [2.0, 3.0, 6.0, 6.0],
                "category_id": 62,
                "id": 97,
            },
            {
                "segmentation": {"counts": [40, 20, 420], "size": [20, 24]},
                "area": 20,
                "iscrowd": 1,
                "image_id": 139,
                "bbox": [2, 0, 1, 20],
                "category_id": 1,
                "id": 900100000139,
            },
        ],
        "categories": [
            {"supercategory": "person", "id": 1, "name": "person"},
            {"supercategory": "furniture", "id": 62, "name": "chair"},
        ],
    }
    folder = tmp_path / "annotations"
    folder.mkdir()
    (folder / "instances_val2017.json").write_text(json.dumps(document))
    annotated = read_set(tmp_path, pictures=tmp_path / "val2017")
    assert (annotated.format, dict(annotated.classes)) == ("coco", {1: "person", 62: "chair"})
    (picture,) = sorted_pictures(annotated)
    assert (picture.id, picture.split, picture.path is not None) == (139, "val2017", True)
    chair, crowd = picture.annotations
    assert (chair.id, chair.label, chair.crowd, chair.box) == (97, 62, False, Box(2, 3, 8, 9))
    assert chair.mask(picture.size) == block(slice(3, 9), slice(2, 8))
    assert (crowd.id, crowd.crowd) == (900100000139, True)
    assert crowd.mask(picture.size) == block(slice(0, 20), slice(2, 3))


def test_coco_in_folders_of_splits(tmp_path: Path) -> None:
    for place, split in enumerate(["test", "train"]):
        write_png(tmp_path / split / "a.png", seed=place)
        document = {
            "images": [{"id": 0, "file_name": "a.png", "height": 20, "width": 24}],
            "annotations": [],
            "categories": [{"id": 0, "name": "things"}, {"id": 1, "name": "x"}],
        }
        (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(document))
    assert [one.split for one in read_set(tmp_path)] == ["test", "train"]


def test_yolo_with_paths_of_another_folder(tmp_path: Path) -> None:
    write_png(tmp_path / "train" / "images" / "a.png")
    (tmp_path / "train" / "labels").mkdir()
    lines = ["1 0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5", "0 0.5 0.5 0.25 0.5", "0 0.5 0.5 0.25 0.5 0.75"]
    (tmp_path / "train" / "labels" / "a.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "data.yaml").write_text(
        "train: ../train/images\nval: ../train/images\nnc: 2\nnames: ['x', 'y']\n"
    )
    first, second = read_set(tmp_path)
    assert (first.split, second.split, first.name) == ("train", "val", "a.png")
    outline, box, scored = first.annotations
    assert outline.mask((20, 24)) == block(slice(5, 10), slice(6, 12))
    assert (box.shape, box.score) == (Box(9, 5, 15, 15), None)
    assert (scored.shape, scored.score) == (Box(9, 5, 15, 15), 0.75)


def test_yolo_with_named_numbers_and_a_list_of_pictures(tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "a.png")
    (tmp_path / "list.txt").write_text("./images/a.png\n")
    (tmp_path / "set.yaml").write_text("path: ../datasets/mine\ntrain: list.txt\nnames:\n  0: x\n  1: y\n")
    (picture,) = sorted_pictures(read_set(tmp_path / "set.yaml"))
    assert (picture.name, picture.annotations) == ("images/a.png", ())


def test_yolo_without_yaml(tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "a.png")
    (tmp_path / "classes.txt").write_text("x\ny\n")
    assert dict(read_set(tmp_path).classes) == {0: "x", 1: "y"}


def test_labelme(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png")
    bitmap = np.ones((3, 4), bool)
    bitmap[1, 1] = False
    shapes = [
        {
            "label": "b",
            "points": [[2, 3], [8, 3], [8, 9], [2, 9]],
            "group_id": 1,
            "shape_type": "polygon",
            "flags": {},
        },
        {
            "label": "a",
            "points": [[15, 9], [10, 5]],
            "group_id": None,
            "shape_type": "rectangle",
            "flags": {"deep": True},
        },
        {
            "label": "b",
            "points": [[12, 12], [14, 12], [14, 14], [12, 14]],
            "group_id": 1,
            "shape_type": "polygon",
            "flags": {},
        },
        {
            "label": "a",
            "points": [[1, 2], [4, 4]],
            "mask": png_text(bitmap),
            "shape_type": "mask",
            "flags": {},
        },
        {"label": "a", "points": [[5, 5]], "shape_type": "point", "flags": {}},
    ]
    document = {
        "version": "5.4.1",
        "flags": {"blurred": True, "checked": False},
        "shapes": shapes,
        "imagePath": "..\\somewhere\\a.png",
        "imageData": None,
        "imageHeight": 20,
        "imageWidth": 24,
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    annotated = read_set(tmp_path)
    assert (annotated.format, dict(annotated.classes)) == ("labelme", {1: "a", 2: "b"})
    (picture,) = annotated
    assert (picture.name, dict(picture.tags)) == ("a.png", {"blurred": "true"})
    parts, box, mask = picture.annotations
    assert isinstance(parts.shape, Polygons)
    assert len(parts.shape.parts) == 2
    assert (box.shape, dict(box.attributes)) == (Box(10, 5, 15, 9), {"deep": True})
    assert mask.mask((20, 24)).box == (1, 2, 5, 5)
    assert mask.mask((20, 24)).area == 11
    assert [one.kind for one in picture.problems] == ["no-area"]


def label_studio_task(
    results: list[object], image: str = "/data/upload/3/1a2b3c4d-a.png"
) -> dict[str, object]:
    return {
        "id": 12,
        "annotations": [{"id": 6, "completed_by": 1, "result": results, "was_cancelled": False}],
        "file_upload": "1a2b3c4d-a.png",
        "drafts": [],
        "predictions": [],
        "data": {"image": image, "line": "B"},
        "meta": {},
    }


def region(number: str, kind: str, value: dict[str, object], name: str) -> dict[str, object]:
    return {
        "original_width": 24,
        "original_height": 20,
        "image_rotation": 0,
        "value": {**value, kind: [name]},
        "id": number,
        "from_name": "label",
        "to_name": "image",
        "type": kind,
        "origin": "manual",
    }


def test_label_studio(tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "a.png")
    ring = block(slice(2, 9), slice(3, 8)).to_array() & ~block(slice(4, 6), slice(5, 6)).to_array()
    results = [
        region("aa", "brushlabels", {"format": "rle", "rle": encode_brush(ring)}, "scratch"),
        region(
            "bb",
            "polygonlabels",
            {"points": [[25, 25], [50, 25], [50, 50], [25, 50]], "closed": True},
            "dent",
        ),
        region("cc", "rectanglelabels", {"x": 50, "y": 50, "width": 25, "height": 25, "rotation": 0}, "dent"),
        {
            "id": "cc",
            "type": "choices",
            "from_name": "depth",
            "value": {"choices": ["deep"]},
            "original_width": 24,
            "original_height": 20,
        },
        {
            "id": "dd",
            "type": "choices",
            "from_name": "light",
            "to_name": "image",
            "value": {"choices": ["dim"]},
        },
        region(
            "ee", "ellipselabels", {"x": 50, "y": 50, "radiusX": 25, "radiusY": 25, "rotation": 0}, "dent"
        ),
    ]
    (tmp_path / "export.json").write_text(json.dumps([label_studio_task(results)]))
    annotated = read_set(tmp_path / "export.json")
    assert (annotated.format, dict(annotated.classes)) == ("label-studio", {1: "dent", 2: "scratch"})
    (picture,) = sorted_pictures(annotated)
    assert (picture.id, picture.name, dict(picture.tags)) == (12, "a.png", {"line": "B", "light": "dim"})
    brush, polygon, box, ellipse = picture.annotations
    assert brush.mask((20, 24)) == Mask.from_array(ring)
    assert polygon.mask((20, 24)) == block(slice(5, 10), slice(6, 12))
    assert (box.id, box.shape, dict(box.attributes)) == ("cc", Box(12, 10, 18, 15), {"depth": "deep"})
    assert abs(ellipse.mask((20, 24)).area - np.pi * 6 * 5) < 5


@pytest.mark.parametrize(
    "image",
    ["/data/local-files/?d=images/a.png", "https://example.org/x/a.png", "s3://bucket/y/a.png", "a.png"],
)
def test_label_studio_addresses(image: str, tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "a.png")
    (tmp_path / "tasks.json").write_text(json.dumps([label_studio_task([], image)]))
    (picture,) = sorted_pictures(read_set(tmp_path))
    assert picture.path == tmp_path / "images" / "a.png"


def test_label_studio_predictions_and_several_annotators(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png")
    box = region("cc", "rectanglelabels", {"x": 50, "y": 50, "width": 25, "height": 25, "rotation": 0}, "x")
    predicted = {**label_studio_task([]), "annotations": [], "predictions": [{"result": [box], "score": 0.5}]}
    twice = label_studio_task([box])
    twice["annotations"] = [{"result": [], "was_cancelled": True}, {"result": [box]}, {"result": []}]
    (tmp_path / "tasks.json").write_text(json.dumps([predicted, twice]))
    first, second = read_set(tmp_path)
    assert [one.score for one in first.annotations] == [0.5]
    assert len(second.annotations) == 1
    assert [one.kind for one in second.problems] == ["several-annotators"]


def test_brush_runs_of_every_size_and_single_values() -> None:
    # By hand: 2 x 1 pixels, values of 8 bits, sizes 3, 4, 8, 16; four zeros repeated, then four values each
    # for itself, of which the last is the alpha channel.
    text = f"{8:032b}" + f"{7:05b}" + "0010" + "0011" + "0111" + "1111"
    text += "1" + "00" + f"{3:03b}" + f"{0:08b}"
    text += "0" + "01" + f"{3:04b}" + "".join(f"{value:08b}" for value in (9, 8, 7, 200))
    data = np.packbits([int(bit) for bit in text]).tolist()
    assert decode_brush(data, (1, 2)).tolist() == [[False, True]]


def test_long_brush_runs(tmp_path: Path) -> None:
    bitmap = np.zeros((300, 400), bool)
    bitmap[100:, :] = True
    assert (decode_brush(encode_brush(bitmap), (300, 400)) == bitmap).all()
    with pytest.raises(Fault, match="cut short"):
        decode_brush(encode_brush(bitmap)[:-2], (300, 400))
    with pytest.raises(Fault, match="120000 pixels in a picture of 5 x 5"):
        decode_brush(encode_brush(bitmap)[:20], (5, 5))


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id><name>tiles</name><size>1</size><mode>annotation</mode>
      <labels>
        <label><name>scratch</name><color>#fa3253</color><type>any</type><attributes>
          <attribute><name>depth</name><mutable>False</mutable><input_type>text</input_type></attribute>
        </attributes></label>
        <label><name>dent</name><color>#b83df5</color><type>any</type><attributes></attributes></label>
        <label><name>light</name><type>tag</type><attributes></attributes></label>
      </labels>
    </task>
  </meta>
  <image id="4" name="sub/a.png" subset="Train" task_id="7" width="24" height="20">
    <mask label="dent" source="manual" occluded="0" rle="1, 2, 2, 1"
      left="5" top="6" width="3" height="2" z_order="0">
    </mask>
    <polygon label="scratch" source="manual" occluded="1"
      points="2.00,3.00;8.00,3.00;8.00,9.00;2.00,9.00" z_order="2">
      <attribute name="depth">0.2 mm</attribute>
    </polygon>
    <box label="dent" source="auto" occluded="0" xtl="10.00" ytl="5.00" xbr="15.00" ybr="9.00" z_order="0"/>
    <ellipse label="dent" source="manual" occluded="0" cx="12" cy="10" rx="6" ry="5" z_order="0"></ellipse>
    <polyline label="scratch" source="manual" occluded="0" points="1,1;2,2" z_order="0"></polyline>
    <tag label="light" source="manual"><attribute name="value">dim</attribute></tag>
    <tag label="checked" source="manual"></tag>
  </image>
</annotations>
"""


def test_cvat(tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "sub" / "a.png")
    (tmp_path / "annotations.xml").write_text(CVAT)
    annotated = read_set(tmp_path)
    assert (annotated.format, dict(annotated.classes)) == ("cvat", {1: "scratch", 2: "dent", 3: "light"})
    (picture,) = annotated
    assert (picture.id, picture.name, picture.split) == (4, "sub/a.png", "Train")
    assert dict(picture.tags) == {"light": "dim", "checked": "true"}
    mask, polygon, box, ellipse = picture.annotations
    expected = np.zeros((20, 24), bool)
    expected[6, 6:8] = expected[7, 7] = True
    assert mask.mask((20, 24)) == Mask.from_array(expected)
    assert polygon.mask((20, 24)) == block(slice(3, 9), slice(2, 8))
    assert dict(polygon.attributes) == {"occluded": True, "z_order": 2, "depth": "0.2 mm"}
    assert box.shape == Box(10, 5, 15, 9)
    assert abs(ellipse.mask((20, 24)).area - np.pi * 6 * 5) < 5
    assert [one.kind for one in picture.problems] == ["no-area"]


def test_cvat_of_a_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        '<annotations><track id="0" label="x"><box frame="0"/></track></annotations>'
    )
    with pytest.raises(InputError, match="tracks of a video; export the task as"):
        read_set(tmp_path / "a.xml")


VOC_XML = """<annotation>
  <folder>VOC2012</folder><filename>2007_000032.png</filename>
  <source><database>The VOC2007 Database</database></source>
  <size><width>24</width><height>20</height><depth>3</depth></size>
  <segmented>1</segmented>
  <object><name>aeroplane</name><pose>Frontal</pose><truncated>0</truncated><difficult>0</difficult>
    <bndbox><xmin>3</xmin><ymin>4</ymin><xmax>8</xmax><ymax>9</ymax></bndbox></object>
  <object><name>person</name><pose>Left</pose><truncated>1</truncated><difficult>1</difficult>
    <bndbox><xmin>11</xmin><ymin>6</ymin><xmax>15</xmax><ymax>9</ymax></bndbox>
    <part><name>head</name><bndbox><xmin>11</xmin><ymin>6</ymin><xmax>12</xmax><ymax>7</ymax></bndbox></part></object>
</annotation>"""


def palette_png(path: Path, values: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.frombytes("P", (values.shape[1], values.shape[0]), values.tobytes())
    image.putpalette(voc_palette().ravel().tolist())
    image.save(path)


def test_voc_of_the_challenge(tmp_path: Path) -> None:
    write_png(tmp_path / "JPEGImages" / "2007_000032.png")
    objects: np.ndarray[tuple[int, int], np.dtype[np.uint8]] = np.zeros((20, 24), np.uint8)
    objects[3:9, 2:8] = 1
    objects[2, 2:8] = 255
    classes = np.where(objects == 1, 1, objects).astype(np.uint8)
    palette_png(tmp_path / "SegmentationObject" / "2007_000032.png", objects)
    palette_png(tmp_path / "SegmentationClass" / "2007_000032.png", classes)
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "2007_000032.xml").write_text(VOC_XML)
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for split in ("train", "trainval", "val"):
        (lists / f"{split}.txt").write_text("2007_000032\n" if "train" in split else "")
    annotated = read_set(tmp_path)
    assert annotated.format == "voc"
    assert (annotated.classes[1], annotated.classes[15]) == ("aeroplane", "person")
    (picture,) = sorted_pictures(annotated)
    assert picture.split == "train"
    assert picture.ignore == block(slice(2, 3), slice(2, 8))
    plane, person = picture.annotations
    assert (plane.label, plane.box, dict(plane.attributes)) == (1, Box(2, 3, 8, 9), {"pose": "Frontal"})
    assert plane.mask((20, 24)) == block(slice(3, 9), slice(2, 8))
    assert (person.label, person.shape) == (15, Box(10, 5, 15, 9))
    assert dict(person.attributes) == {"pose": "Left", "truncated": True, "difficult": True}


def test_voc_with_colours_and_a_labelmap(tmp_path: Path) -> None:
    write_png(tmp_path / "JPEGImages" / "a.png")
    for folder in ("SegmentationClass", "SegmentationObject"):
        pixels = np.zeros((20, 24, 3), np.uint8)
        pixels[3:9, 2:8] = (250, 50, 83) if folder == "SegmentationClass" else (128, 0, 0)
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "a.png")
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ndent:10,20,30::\nscratch:250,50,83::\n"
    )
    (picture,) = sorted_pictures(read_set(tmp_path))
    (one,) = picture.annotations
    assert (one.label, one.mask((20, 24))) == (2, block(slice(3, 9), slice(2, 8)))


def test_items_with_one_class_or_boxes(tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "a.png")
    write_png(tmp_path / "images" / "b.png")
    (tmp_path / "masks").mkdir()
    Image.fromarray(block(slice(3, 9), slice(2, 8)).to_array().astype(np.uint8)).save(
        tmp_path / "masks" / "a.png"
    )
    items = [
        {"id": "a", "class": "apple"},
        {"id": "b", "label": "pear", "bbox_xyxy": [0, 1, 4, 6], "split": "val"},
    ]
    (tmp_path / "meta.json").write_text(
        json.dumps({"classes": {"1": "the class in the name"}, "items": items})
    )
    annotated = read_set(tmp_path)
    assert dict(annotated.classes) == {1: "apple", 2: "pear"}
    first, second = sorted_pictures(annotated)
    assert first.annotations[0].mask((20, 24)) == block(slice(3, 9), slice(2, 8))
    assert (second.annotations[0].label, second.annotations[0].shape) == (2, Box(0, 1, 5, 7))


def test_tags_from_a_table(tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "a.png")
    (tmp_path / "classes.txt").write_text("x\n")
    (tmp_path / "mine.csv").write_text("picture;light;shift\na;dim;\nz;;B\n")
    (picture,) = read_set(tmp_path, tags=tmp_path / "mine.csv")
    assert dict(picture.tags) == {"light": "dim"}
    (tmp_path / "bad.csv").write_text("light\ndim\n")
    with pytest.raises(InputError, match="expected a column `picture`, got light"):
        read_set(tmp_path, tags=tmp_path / "bad.csv")


def test_unknown_formats_and_full_folders(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="cannot tell which format this is; name it with --from"):
        detect(tmp_path / "x.json")
    with pytest.raises(InputError, match="no such file or folder"):
        read_set(tmp_path / "y")
    write_png(tmp_path / "s" / "images" / "a.png")
    (tmp_path / "s" / "classes.txt").write_text("x\n")
    annotated = read_set(tmp_path / "s")
    with pytest.raises(UsageError, match="is not empty; name a new folder"):
        write_set(annotated, tmp_path / "s", "coco")
    with pytest.raises(UsageError, match="no format 'cocoa'; there are coco"):
        write_set(annotated, tmp_path / "t", "cocoa")


def test_masks_without_a_meta_file_are_of_one_class(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    marked = np.zeros((6, 8), np.uint8)
    marked[1:3, 2:5], marked[4, 4] = 255, 7
    for name, mask in {"a": marked, "b": np.zeros_like(marked)}.items():
        Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    found = read_set(tmp_path)
    assert (found.format, dict(found.classes)) == ("label-map", {1: "object"})
    one, none = found
    assert np.array_equal(one.label_mask(1).to_array(), marked > 0)
    assert none.annotations == ()
    assert not one.problems
    assert not none.problems


def test_a_meta_file_may_only_name_the_classes(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    marked = np.zeros((6, 8), np.uint8)
    marked[1:3, 2:5] = 2
    for name in ("a", "b", "unmarked"):
        Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(tmp_path / "images" / f"{name}.png")
    Image.fromarray(marked).save(tmp_path / "masks" / "a.png")
    Image.fromarray(np.zeros_like(marked)).save(tmp_path / "masks" / "b.png")
    (tmp_path / "meta.json").write_text('{"classes": {"1": "dent", "2": "scratch"}}')
    one, none, unmarked = read_set(tmp_path)
    assert np.array_equal(one.label_mask(2).to_array(), marked > 0)
    assert (none.annotations, none.problems) == ((), ())
    assert [problem.kind for problem in unmarked.problems] == ["missing-mask"]
    # The same without the file: one class, and the same picture lacks its mask.
    (tmp_path / "meta.json").unlink()
    found = list(read_set(tmp_path))
    assert [[problem.kind for problem in picture.problems] for picture in found] == [[], [], ["missing-mask"]]
    assert found[1].tags == {}
