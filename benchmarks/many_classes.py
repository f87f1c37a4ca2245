"""Classes added one after another: what becomes of the first ones, and what an addition and a look cost.

    python benchmarks/many_classes.py --out runs/many_classes
    python benchmarks/many_classes.py --classes 20 --scenes 8 --grid 8 --repeats 2   (quick)

Fifty cut-outs of `tuxpaint_stamps`, in groups of five of one family (so that each has look-alikes), are
learned one after another from five shots each, in composed scenes. The tested scenes hold four of them and
one cut-out that is no class; the background is learned from ten other scenes, of cut-outs that are no class
either and are not in the tested scenes. An object counts as right when a mask of its class meets it at
IoU 0.5; it is tested from the addition of its class on. Intervals are 95 % bootstrap intervals over scenes.

The shipped decoder was trained on scenes of these cut-outs among others (never on these scenes, nor on their
names), so how well masks fit says little here; the question is whether names stay right.

Costs are of random embeddings: with the thousandth class beside the tenth, and of a look with 1,000 classes
(ten learned, the others random) beside one with ten. The two detectors take turns.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from common.class_costs import addition_costs, bytes_kept, look_seconds, random_shots
from common.class_methods import ModelEye, Ours, proposals_of
from common.command import finish, make_parser, open_model, positive
from common.stamp_scenes import Cast, Rng, StampBook, StampScene
from common.tables import markdown, signed
from kiridashi.classes.detector import Detector
from kiridashi.classes.proposals import ProposalSettings
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment
from kiridashi.data.atomic import atomic_path
from kiridashi.evaluate.ifsis.looking import Look, Vectors
from kiridashi.evaluate.intervals import Interval, grouped_mean
from kiridashi.models.grid import GridSettings

FIRST = 10
IN_A_SCENE = 4
BACKGROUND_SCENES = 10
LEAST_IOU = 0.5
TABLE = 10
TIMED_PICTURES = 3


@dataclass(frozen=True, eq=False)
class SeenScene:
    """A scene as it was looked at.

    Attributes:
        scene: the picture and what is in it.
        look: its proposals.
        embeddings: (N, D) of the exact masks of the N things.
    """

    scene: StampScene
    look: Look
    embeddings: Vectors


@dataclass(frozen=True, eq=False)
class Step:
    """What the detector makes of all scenes with some number of classes.

    Attributes:
        classes: their number.
        found: (N,) bool of the N objects of all classes, also those to come: right name and place.
        named: (N,) bool, right name for the exact mask.
        precision: share of the detections that are right; None without any.
    """

    classes: int
    found: NDArray[np.bool_]
    named: NDArray[np.bool_]
    precision: float | None


def learn_shots(
    book: StampBook, cast: Cast, eye: ModelEye, shots: int, rng: Rng, step: Callable[[str], None]
) -> dict[str, Vectors]:
    """(shots, D) embeddings of each class, from scenes of several classes."""
    found: dict[str, list[Vectors]] = {name: [] for name in cast.classes}
    for turn in range(shots):
        order = rng.permutation(cast.classes).tolist()
        for start in range(0, len(order), IN_A_SCENE):
            step(f"shot {turn + 1} of class {start + 1}")
            scene = book.scene(order[start : start + IN_A_SCENE], rng)
            vectors = eye.embed(scene.picture, [mask for _, mask in scene.things])
            for (name, _), vector in zip(scene.things, vectors, strict=True):
                found[name].append(vector)
    return {name: np.stack(vectors) for name, vectors in found.items()}


def learn_background(book: StampBook, cast: Cast, eye: ModelEye, rng: Rng) -> Vectors:
    """(M, D) embeddings of all proposals of scenes without any class."""
    scenes = [
        book.scene(rng.choice(cast.shown, IN_A_SCENE, replace=False).tolist(), rng)
        for _ in range(BACKGROUND_SCENES)
    ]
    return np.concatenate([eye.look(scene.picture).embeddings for scene in scenes])


def look_at(
    book: StampBook, cast: Cast, eye: ModelEye, count: int, rng: Rng, step: Callable[[str], None]
) -> list[SeenScene]:
    """Scenes in which every class comes equally often, as nearly as can be."""
    queue: list[str] = []
    tested = []
    for index in range(count):
        step(f"scene {index + 1} of {count}")
        if len(queue) < IN_A_SCENE:
            queue = rng.permutation(cast.classes).tolist()
        names, queue = queue[:IN_A_SCENE], queue[IN_A_SCENE:]
        scene = book.scene([*names, str(rng.choice(cast.unknown))], rng, f"scene {index}")
        embeddings = eye.embed(scene.picture, [mask for _, mask in scene.things])
        tested.append(SeenScene(scene, eye.look(scene.picture), embeddings))
    return tested


def objects_of(tested: Sequence[SeenScene], classes: Sequence[str]) -> tuple[list[int], list[str]]:
    """Place of the class among `classes` and scene of each object, in the order of the scenes."""
    places = {name: place for place, name in enumerate(classes)}
    every = [
        (places[name], one.scene.picture.name)
        for one in tested
        for name, _ in one.scene.things
        if name in places
    ]
    return [place for place, _ in every], [scene for _, scene in every]


def judge(ours: Ours, tested: Sequence[SeenScene], classes: Sequence[str]) -> Step:
    """Detect with the classes that are known now.

    Args:
        ours: that has learned some classes.
        tested: the scenes.
        classes: all of them, those to come too.
    """
    detector, wanted = ours.detector, set(classes)
    found, named, right, given = [], [], 0, 0
    for one in tested:
        proposals = proposals_of(one.look)
        segments = detector.select(one.look.size, detector.judge(proposals))
        names = name_exactly(detector, one)
        right += sum(any(_meets(segment, *thing) for thing in one.scene.things) for segment in segments)
        given += len(segments)
        for place, (name, mask) in enumerate(one.scene.things):
            if name in wanted:
                found.append(any(_meets(segment, name, mask) for segment in segments))
                named.append(names[place] == name)
    precision = right / given if given else None
    return Step(len(detector.classifier), np.array(found), np.array(named), precision)


def _meets(segment: Segment, name: str, mask: Mask) -> bool:
    return segment.label == name and segment.mask.iou(mask) >= LEAST_IOU


def name_exactly(detector: Detector, one: SeenScene) -> list[str | None]:
    """What the exact mask of each thing is named; None: background, or like nothing enough."""
    masks = tuple(mask for _, mask in one.scene.things)
    exact = Look(one.look.size, masks, np.ones(len(masks), np.float32), one.embeddings)
    return [judgement.name for judgement in detector.judge(proposals_of(exact))]


def proposed(tested: Sequence[SeenScene], classes: Sequence[str]) -> float:
    """Share of the objects that some proposal meets: what no classifier can better."""
    wanted = set(classes)
    return float(
        np.mean(
            [
                any(mask.iou(other) >= LEAST_IOU for other in one.look.masks)
                for one in tested
                for name, mask in one.scene.things
                if name in wanted
            ]
        )
    )


def grow(
    options: argparse.Namespace, book: StampBook, eye: ModelEye, step: Callable[[str], None]
) -> tuple[dict[str, Any], Ours]:
    """Add class after class; the figures, and the detector that knows the first classes."""
    cast = book.cast(options.classes, options.seed)
    rng = np.random.default_rng([options.seed, 1])
    shots = learn_shots(book, cast, eye, options.shots, rng, step)
    background = learn_background(book, cast, eye, rng)
    tested = look_at(book, cast, eye, options.scenes, rng, step)
    places, scenes = objects_of(tested, cast.classes)
    ours, early, steps = Ours(eye, keep_uncertain=False), Ours(eye, keep_uncertain=False), []
    for detector, count in ((ours, 0), (early, FIRST)):
        detector.start({name: shots[name] for name in cast.classes[:count]}, background)
    for count, name in enumerate(cast.classes, start=1):
        step(f"class {count}")
        ours.add(name, shots[name])
        if count % options.step == 0 or count in (FIRST, len(cast.classes)):
            steps.append(judge(ours, tested, cast.classes))
    rows = [summarise(one, np.array(places), scenes, options.seed) for one in steps]
    at_first = next(one for one in steps if one.classes == FIRST)
    old = np.array(places) < FIRST
    figures = {
        "classes": list(cast.classes),
        "objects": len(places),
        "proposed": proposed(tested, cast.classes),
        "background": len(background),
        "rows": rows,
        "loss": {
            what: asdict(_share(before[old].astype(float) - after[old], old, scenes, options.seed))
            for what, before, after in (
                ("found", at_first.found, steps[-1].found),
                ("named", at_first.named, steps[-1].named),
            )
        },
    }
    return figures, early


def summarise(one: Step, places: NDArray[np.intp], scenes: Sequence[str], seed: int) -> dict[str, Any]:
    """Shares of right ones with intervals, over the classes known and over the first ones of them."""
    row: dict[str, Any] = {"classes": one.classes, "precision": one.precision}
    for who, inside in (("all", places < one.classes), ("first", places < min(FIRST, one.classes))):
        for what, right in (("found", one.found), ("named", one.named)):
            row[f"{what}_{who}"] = asdict(_share(right[inside].astype(float), inside, scenes, seed))
    return row


def _share(
    values: NDArray[np.float64], inside: NDArray[np.bool_], scenes: Sequence[str], seed: int
) -> Interval:
    if not inside.any():
        raise UsageError("the scenes hold no object of the first classes; ask for more --scenes")
    return grouped_mean(values, [scenes[place] for place in np.flatnonzero(inside).tolist()], seed=seed)


def costs(
    options: argparse.Namespace, early: Ours, eye: ModelEye, pictures: Sequence[Picture]
) -> dict[str, Any]:
    """Of an addition and of a look, with few classes and with many."""
    width = eye.embedder.width
    tenth, last, longest = addition_costs(width, options.shots, options.many, options.additions, options.seed)
    crowded = Ours(eye, keep_uncertain=False)
    crowded.classifier, crowded.thresholds = early.classifier, dict(early.thresholds)
    rng = np.random.default_rng([options.seed, 2])
    for number in range(len(early.classifier), options.many):
        crowded.add(f"made up {number}", random_shots(options.shots, width, rng))
    pair = {"few": early.detector, "many": crowded.detector}
    seconds = look_seconds(pair, pictures, options.repeats)
    ratios = [many / few for few, many in zip(seconds["few"], seconds["many"], strict=True)]
    return {
        "tenth": asdict(tenth),
        "last": asdict(last),
        "longest_addition_s": longest,
        "kept_bytes_a_class": {"few": bytes_kept(FIRST, width), "many": bytes_kept(options.many, width)},
        "look_s": {name: median(values) for name, values in seconds.items()},
        "look_ratio": median(ratios),
        "looks": seconds,
    }


def table(figures: dict[str, Any]) -> str:
    """The figures at every tenth class."""
    titles = ["classes", "right [95 %]", "first ten right [95 %]", "exact masks named", "first ten named"]
    lines = [
        [
            str(row["classes"]),
            *(
                str(Interval(**row[name]))
                for name in ("found_all", "found_first", "named_all", "named_first")
            ),
            "" if row["precision"] is None else f"{row['precision']:.3f}",
        ]
        for row in figures["rows"]
        if row["classes"] % TABLE == 0 or row is figures["rows"][-1]
    ]
    return markdown([*titles, "precision"], lines, names=0)


def words(options: argparse.Namespace, figures: dict[str, Any], spent: dict[str, Any]) -> str:
    """All that is printed."""
    loss = {what: signed(Interval(**values)) for what, values in figures["loss"].items()}
    tenth, last, look = spent["tenth"], spent["last"], spent["look_s"]
    growth = (
        f"{figures['objects']} objects in {options.scenes} scenes; a proposal meets "
        f"{figures['proposed']:.3f} of them; {figures['background']} samples of background\n"
        f"the first {FIRST} lost from class {FIRST} to {options.classes}: {loss['found']} of the right "
        f"ones, {loss['named']} of the exact masks named"
    )
    addition = (
        f"an addition of {options.shots} shots: {1e6 * tenth['seconds']:.0f} us and "
        f"{tenth['allocated'] / 1024:.1f} KiB for the 10th, {1e6 * last['seconds']:.0f} us and "
        f"{last['allocated'] / 1024:.1f} KiB for the {options.many:,}th (ratios "
        f"{last['seconds'] / tenth['seconds']:.2f} and {last['allocated'] / tenth['allocated']:.2f}); "
        f"the longest, where the room doubles, {1e3 * spent['longest_addition_s']:.1f} ms"
    )
    a_look = (
        f"a look: {look['few']:.3f} s with {FIRST} classes, {look['many']:.3f} s with {options.many:,} "
        f"(median of ratios {spent['look_ratio']:.3f})"
    )
    return "\n".join([table(figures), "", growth, addition, a_look])


def plot(path: Path, figures: dict[str, Any]) -> None:
    """Accuracy against the number of classes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    numbers = [row["classes"] for row in figures["rows"]]
    lines = {
        "found_all": "found and named, classes known so far",
        "found_first": f"found and named, the first {FIRST}",
        "named_all": "exact masks named, classes known so far",
        "named_first": f"exact masks named, the first {FIRST}",
    }
    for name, label in lines.items():
        ends = [row[name] for row in figures["rows"]]
        style = "-" if name.startswith("found") else "--"
        (line,) = axes.plot(
            numbers, [one["mean"] for one in ends], style, marker="o", markersize=3, label=label
        )
        if name.startswith("found"):
            low, high = [one["low"] for one in ends], [one["high"] for one in ends]
            axes.fill_between(numbers, low, high, color=line.get_color(), alpha=0.12, linewidth=0)
    axes.axhline(figures["proposed"], color="grey", linewidth=0.8, label="met by a proposal")
    axes.set(xlabel="classes", ylabel="share of the objects", ylim=(0, 1.02))
    axes.legend(fontsize=8, loc="lower left")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Growth and costs; see the module."""
    if options.classes < FIRST or options.many < 2 * FIRST:
        raise UsageError(f"--classes is {FIRST} or more, --many {2 * FIRST} or more")
    options.scenes = min(options.scenes, options.limit or options.scenes)
    eye = ModelEye(open_model(options), ProposalSettings(GridSettings(options.grid)), options.head)
    book = StampBook(options.data / "tuxpaint_stamps")
    with console.status("scenes") as status:
        figures, early = grow(options, book, eye, status.update)
        status.update("costs")
        rng = np.random.default_rng([options.seed, 3])
        scenes = [book.scene(figures["classes"][:IN_A_SCENE], rng) for _ in range(TIMED_PICTURES)]
        spent = costs(options, early, eye, [scene.picture for scene in scenes])
    if options.out is not None:
        plot(options.out / "accuracy.png", figures)
    return {
        "benchmark": "many_classes",
        "text": words(options, figures, spent),
        "growth": figures,
        "costs": spent,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, "scenes")
    parser.add_argument("--classes", type=positive, default=50, help=f"{FIRST} or more")
    parser.add_argument("--shots", type=positive, default=5, help="of each class")
    parser.add_argument("--scenes", type=positive, default=125, help="that are tested")
    parser.add_argument("--step", type=positive, default=5, help="test after every so many classes")
    parser.add_argument("--many", type=positive, default=1000, help="classes that costs are taken at")
    parser.add_argument("--additions", type=positive, default=20, help="times that all are added")
    parser.add_argument("--repeats", type=positive, default=15, help="looks at each of three pictures")
    parser.add_argument("--head", type=Path, help="file of an embedding head; default: none")
    parser.add_argument("--grid", type=positive, default=16, help="points a side of the proposals' grid")
    parser.add_argument("--out", type=Path, help="folder for the plot, accuracy.png")
    return finish(run, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
