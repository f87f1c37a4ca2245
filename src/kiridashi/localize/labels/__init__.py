"""Labels of whole pictures: from a table, from folders or from a COCO file."""

from collections.abc import Collection
from pathlib import Path

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.files import one_line
from kiridashi.data.targets import find_targets
from kiridashi.localize.labels.coco_file import read_coco
from kiridashi.localize.labels.csv_file import read_csv
from kiridashi.localize.labels.folders import read_folders
from kiridashi.localize.labels.gathering import gather
from kiridashi.localize.labels.items import Box, LabelledPicture, LabelSet, Refused
from kiridashi.localize.labels.splitting import WeakSplit, by_split

__all__ = [
    "Box",
    "LabelSet",
    "LabelledPicture",
    "Refused",
    "WeakSplit",
    "by_split",
    "read_labels",
]

TABLES = frozenset({".csv", ".tsv", ".txt"})


def read_labels(source: str | Path, pictures: Path | None = None, normal: Collection[str] = ()) -> LabelSet:
    """Read the labels of a set of pictures.

    Labels such as OK, good or normal say that nothing is there. What cannot be used (a row that names a
    missing file, a picture with labels that contradict one another) is told in `refused`; the others count.

    Args:
        source: a table (.csv, .tsv, .txt) with the columns picture and label, a COCO file (.json), or a
            folder with one folder of pictures for each class.
        pictures: folder of the pictures of a table or a COCO file; None: the file's own, and `images` in it.
        normal: further labels that mean that nothing is there.

    Raises:
        InputError: no such source, it cannot be read, or no label in it can be used.
        UsageError: more classes than can be meant, or `pictures` with a folder of classes.
    """
    source = Path(source)
    if not source.exists():
        # Its message names what is nearest.
        find_targets([source])
    if source.is_dir():
        if pictures is not None:
            raise UsageError(
                one_line(f"--pictures goes with a CSV or COCO file; {source} is a folder of pictures itself")
            )
        claims, refused = read_folders(source)
    elif source.suffix.lower() in TABLES:
        claims, refused = read_csv(source, pictures)
    elif source.suffix.lower() == ".json":
        claims, refused = read_coco(source, pictures)
    else:
        raise InputError(
            one_line(
                f"{source}: expected a table of labels (.csv), a COCO file (.json), or a folder with one "
                "folder for each class"
            )
        )
    return gather(claims, refused, normal, str(source))
