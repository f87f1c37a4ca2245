"""New classes from a few instances: ours beside a nearest mean, neighbours and a head that is retrained.

    python benchmarks/growing_classes.py
    python benchmarks/growing_classes.py --limit 20 --grid 8 --shots 1 --seeds 2 --base-shots 2   (quick)

Pictures with instances of `voc_animals_instances`: cat, dog and horse are known from the start, cow and sheep
come later with K instances each. Base classes are learned from 8 instances each (`--base-shots`), drawn by
the same seeds; a picture with a shot of a seed is no test picture of that seed, for none of its K. The
background is learned from the pictures of the base shots.

All methods share proposals, embeddings and the rule by which masks are thinned out. The k-NN and the linear
head know the background too, the nearest mean does not. "ours" names every proposal, as the others do, since
average precision punishes what is left out; "ours as used" leaves out the background and what is below the
calibrated thresholds, as `kiridashi detect` does. Intervals are 95 % bootstrap intervals over seeds.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console

from common.class_methods import ModelEye, methods
from common.command import finish, make_parser, open_model, positive
from kiridashi.classes.proposals import ProposalSettings
from kiridashi.core.errors import UsageError
from kiridashi.evaluate.ifsis.folders import FolderInstances
from kiridashi.evaluate.ifsis.instances import (
    Instance,
    InstanceSet,
    MarkedPicture,
    labels_of,
    open_instances,
)
from kiridashi.evaluate.ifsis.run import SETTINGS, Plan
from kiridashi.evaluate.ifsis.run import run as run_plan
from kiridashi.evaluate.ifsis.splits import COCO_SPLIT, Split
from kiridashi.evaluate.ifsis.summary import as_markdown, summarise
from kiridashi.models.grid import GridSettings


@dataclass(frozen=True, eq=False)
class Part:
    """Some pictures of a set.

    Attributes:
        whole: the set.
        instances: of the pictures that are in.
    """

    whole: InstanceSet
    instances: Mapping[str, tuple[Instance, ...]]

    @property
    def name(self) -> str:
        """Of the set."""
        return self.whole.name

    def read(self, picture: str) -> MarkedPicture:
        """See `InstanceSet.read`."""
        return self.whole.read(picture)


def part_of(source: InstanceSet, split: Split, count: int, seed: int) -> Part:
    """Pictures of each class in turn, in an order drawn by the seed, until there are `count`."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(list(source.instances)).tolist()
    queues = [
        [name for name in names if any(one.label == label for one in source.instances[name])]
        for label in split.labels
    ]
    longest = max(map(len, queues))
    in_turn = dict.fromkeys(queue[turn] for turn in range(longest) for queue in queues if turn < len(queue))
    chosen = set(list(in_turn)[:count])
    return Part(source, {name: every for name, every in source.instances.items() if name in chosen})


def split_of(options: argparse.Namespace, source: InstanceSet) -> Split:
    """What the options say, else what the set suggests, else COCO's where all its classes are there.

    Raises:
        UsageError: neither says anything.
    """
    if options.base or options.novel:
        return Split(tuple(options.base or ()), tuple(options.novel or ()))
    if isinstance(source, FolderInstances) and source.split is not None:
        return source.split
    if set(COCO_SPLIT.labels) <= set(labels_of(source)):
        return COCO_SPLIT
    raise UsageError(f"{source.name} suggests no split; name classes with --base and --novel")


def seconds_of_a_shot(eye: ModelEye, source: InstanceSet, count: int = 5) -> dict[str, float]:
    """Median seconds of encoding a picture, and of embedding one mask of an encoded one."""
    encoding, embedding = [], []
    for name in list(source.instances)[:count]:
        marked = source.read(name)
        began = time.perf_counter()
        eye.embedder.eye.encode(marked.picture)
        encoded = time.perf_counter()
        eye.embed(marked.picture, list(marked.masks.values())[:1])
        embedding.append(time.perf_counter() - encoded)
        encoding.append(encoded - began)
    return {"encode_s": median(encoding), "embed_s": median(embedding)}


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All draws and methods; see the module."""
    model = open_model(options)
    eye = ModelEye(model, ProposalSettings(GridSettings(options.grid)), options.head)
    source = open_instances(options.set or options.data / "voc_animals_instances", options.images)
    split = split_of(options, source)
    part = source if options.limit is None else part_of(source, split, options.limit, options.seed)
    plan = Plan(
        part if options.train is None else open_instances(options.train, options.train_images),
        part,
        split,
        methods(eye),
        shots=options.shots,
        seeds=range(options.seed, options.seed + options.seeds),
        base_shots=options.base_shots,
        settings=options.settings,
    )
    with console.status("looking") as status:
        # First, before the pictures' features are kept.
        shot = seconds_of_a_shot(eye, part)
        outcomes = run_plan(plan, eye, step=status.update)
    rows = summarise(outcomes, split)
    pictures = median(one.pictures for one in outcomes)
    text = (
        f"{as_markdown(rows)}\n\n{source.name}: {len(part.instances)} pictures, {pictures:g} of them tested "
        f"by a seed (median); {options.base_shots} shots a base class; {options.seeds} seeds; grid "
        f"{options.grid}\n"
        f"a shot: {shot['encode_s']:.2f} s to encode its picture, {1000 * shot['embed_s']:.1f} ms to embed it"
    )
    return {
        "benchmark": "growing_classes",
        "text": text,
        "split": asdict(split),
        "shot": shot,
        "rows": [row.to_json() for row in rows],
        "outcomes": [asdict(one) for one in outcomes],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, "pictures")
    parser.add_argument("--set", type=Path, help="another folder of instances, or a COCO file")
    parser.add_argument("--images", type=Path, help="folder of a COCO file's pictures")
    parser.add_argument("--train", type=Path, help="take shots from this set instead; --set is tested whole")
    parser.add_argument("--train-images", type=Path, help="folder of its pictures, for a COCO file")
    parser.add_argument("--base", nargs="+", help="base classes; default: what the set suggests")
    parser.add_argument("--novel", nargs="+", help="novel classes")
    parser.add_argument("--shots", type=positive, nargs="+", default=[1, 3, 5], help="K")
    parser.add_argument("--base-shots", type=positive, default=8, help="instances of each base class")
    parser.add_argument("--seeds", type=positive, default=10, help="number of draws")
    parser.add_argument("--head", type=Path, help="file of an embedding head; default: none")
    parser.add_argument("--grid", type=positive, default=16, help="points a side of the proposals' grid")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    return finish(run, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
