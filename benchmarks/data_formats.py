"""A COCO set of made-up masks written again as COCO and as YOLO: Kiridashi and supervision in turns.

    python benchmarks/data_formats.py --json runs/data_formats.json
    python benchmarks/data_formats.py --pictures 20 --repeats 1   (quick)

Each picture has blobs with holes, some of them in several parts. Seconds are of the way from the one file to
the other, without imports and without the picture files, which both leave where they are. IoU is that of all
pixels of a class in a picture; objects are those that come back for each that was there.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import supervision
from PIL import Image
from rich.console import Console
from scipy.ndimage import gaussian_filter, label

from common.command import finish, positive
from common.tables import markdown
from kiridashi.core.mask import Mask
from kiridashi.data.atomic import write_json
from kiridashi.data.formats import read_set, write_set

TARGETS = ("coco", "yolo")
TOOLS = ("kiridashi", "supervision")
CLASSES = {3: "dent", 8: "scratch"}
SIZE = (480, 640)


@dataclass(frozen=True)
class Row:
    """One tool and target.

    Attributes:
        tool: that converted.
        target: the format.
        seconds: median of the repeats.
        iou: mean over classes and pictures.
        objects: that come back for each one written.
        ids: share of the classes' ids that are the same.
    """

    tool: str
    target: str
    seconds: float
    iou: float
    objects: float
    ids: float


def make_set(folder: Path, pictures: int, objects: int, seed: int) -> list[list[tuple[int, Mask]]]:
    """Write pictures and a COCO file; the objects of each picture."""
    draw = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    truth = []
    for number in range(1, pictures + 1):
        Image.new("L", SIZE[::-1], 90).save(folder / "images" / f"{number:05d}.png")
        numbered, count = label(gaussian_filter(draw.standard_normal(SIZE), 9) > 0.02)
        inside = []
        for place in range(1, min(count, objects) + 1):
            full = numbered == place
            if place % 3 == 0:
                full |= numbered == count - place + 1
            mask, kind = Mask.from_array(full), int(draw.choice(list(CLASSES)))
            if mask.area < 30:
                continue
            x0, y0, x1, y1 = mask.box
            inside.append((kind, mask))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": kind,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": mask.area,
                    "segmentation": mask.to_rle(),
                    "iscrowd": 0,
                }
            )
        truth.append(inside)
        images.append({"id": number, "file_name": f"{number:05d}.png", "width": SIZE[1], "height": SIZE[0]})
    categories = [{"id": number, "name": name} for number, name in CLASSES.items()]
    document = {"images": images, "annotations": annotations, "categories": categories}
    write_json(folder / "annotations.json", document)
    return truth


def convert(tool: str, target: str, source: Path, out: Path) -> float:
    """Seconds of a conversion."""
    if tool == "kiridashi":
        begin = time.perf_counter()
        write_set(read_set(source), out, target, pictures="none")
    else:
        begin = time.perf_counter()
        data = supervision.DetectionDataset.from_coco(
            str(source / "images"), str(source / "annotations.json"), force_masks=True
        )
        if target == "coco":
            data.as_coco(annotations_path=str(out / "annotations.json"))
        else:
            data.as_yolo(
                annotations_directory_path=str(out / "labels"), data_yaml_path=str(out / "data.yaml")
            )
    return time.perf_counter() - begin


def judge(
    target: str, source: Path, out: Path, truth: Sequence[Sequence[tuple[int, Mask]]]
) -> tuple[float, float, float]:
    """Mean IoU, objects for each one written, and the share of classes whose id is the same."""
    if target == "yolo":
        # Both wrote their labels alone; ours lie below the name of the split.
        labels = out / "labels" / "train" if (out / "labels" / "train").is_dir() else out / "labels"
        (out / "set").mkdir()
        (out / "set" / "images").symlink_to((source / "images").resolve())
        (out / "set" / "labels").symlink_to(labels.resolve())
        (out / "set" / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES.values()))
        back = read_set(out / "set")
    else:
        back = read_set(out / "annotations.json", pictures=source / "images")
    pictures = {Path(picture.name).stem: picture for picture in back}
    scores = []
    for number, objects in enumerate(truth, start=1):
        for kind in {kind for kind, _ in objects}:
            whole = reduce(or_, (mask for own, mask in objects if own == kind))
            found = pictures[f"{number:05d}"].label_mask(back.by_name[CLASSES[kind]])
            scores.append(found.iou(whole))
    counted = sum(len(picture.annotations) for picture in pictures.values()) / sum(map(len, truth))
    return mean(scores), counted, mean(back.classes.get(number) == name for number, name in CLASSES.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=positive, default=200, metavar="N")
    parser.add_argument("--objects", type=positive, default=8, metavar="N", help="at most, in a picture")
    parser.add_argument("--repeats", type=positive, default=5, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return finish(run, parser.parse_args(arguments))


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """The rows, and their table as text."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        truth = make_set(home / "set", options.pictures, options.objects, options.seed)
        measured: dict[tuple[str, str], list[float]] = {}
        for turn in range(options.repeats):
            for target in TARGETS:
                for tool in TOOLS:
                    out = home / f"{turn}-{target}-{tool}"
                    seconds = convert(tool, target, home / "set", out)
                    measured.setdefault((tool, target), []).append(seconds)
                    console.print(f"{tool} to {target}: {seconds:.2f} s", markup=False)
        rows = []
        for (tool, target), values in measured.items():
            iou, objects, ids = judge(target, home / "set", home / f"0-{target}-{tool}", truth)
            rows.append(Row(tool, target, median(values), iou, objects, ids))
    cells = [
        [row.tool, row.target, f"{row.seconds:.2f}", f"{row.iou:.4f}", f"{row.objects:.2f}", f"{row.ids:.0%}"]
        for row in rows
    ]
    text = markdown(["tool", "to", "seconds", "IoU", "objects", "ids kept"], cells, 2)
    return {"text": text, "rows": [asdict(row) for row in rows]}


if __name__ == "__main__":
    sys.exit(main())
