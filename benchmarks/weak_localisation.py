"""What weakly supervised localisation costs: learning from 500 labelled pictures, and predicting.

    python benchmarks/weak_localisation.py

The claim: `kiridashi localize fit` with the compact trunk learns from 500 pictures within 5 minutes on two
cores, and 3 pictures a second or more are predicted at 16 x 16 points with the gallery.

The pictures are those of voc_train, which the model was trained on too: this measures time, and says nothing
of how well anything is found. Learning is the whole verb, from the label file to the MODEL folder, with an
empty cache. Prediction is timed from the pictures' files to their masks, a thread a picture as the verb does,
on pictures that were not learned from; each is taken to show its best class, so that every picture has its
gallery made. Beside it in the same run, round by round in turns: the same with all points of the grid decoded
(without `skip_covered` and `near`).
Reported are medians over the rounds, ratios all points / ours with the smallest and the largest of a round,
and the mean IoU of what both give.
"""

import argparse
import csv
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from common.command import draw, finish, make_parser, open_model, positive
from common.tables import markdown
from kiridashi.cli.localize_fit_job import FitJob
from kiridashi.core.errors import InputError
from kiridashi.data.atomic import write_text
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.wsol.items import Item
from kiridashi.evaluate.wsol.sources import open_set
from kiridashi.localize.localizer import Localisation, Localizer
from kiridashi.localize.maps import TrainedLocaliser
from kiridashi.localize.model_folder import load_network
from kiridashi.localize.settings import LocaliseSettings
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.threads import in_order, pictures_at_once

SET = "voc_train"
OURS, ALL_POINTS = "ours", "all points"
PICTURES, MOST_MINUTES, LEAST_RATE = 500, 5.0, 3.0


@dataclass(frozen=True)
class Round:
    """All pictures once on both sides.

    Attributes:
        seconds: by side, for all pictures together.
        agreement: mean IoU of the masks of both sides.
    """

    seconds: dict[str, float]
    agreement: float


def label_table(items: Sequence[Item]) -> str:
    """A label file as users write it."""
    stream = io.StringIO(newline="")
    rows = csv.writer(stream)
    rows.writerow(["picture", "label"])
    rows.writerows([item.path.name, ";".join(item.labels)] for item in items)
    return stream.getvalue()


def learn(items: Sequence[Item], options: argparse.Namespace, folder: Path) -> float:
    """Seconds of `localize fit`, which leaves its MODEL in a folder of this one."""
    labels = folder / "labels.csv"
    write_text(labels, label_table(items))
    job = FitJob(
        labels=labels,
        out=folder / "model",
        pictures=items[0].path.parent,
        model=options.model,
        epochs=options.epochs,
        seed=options.seed,
        cache=folder / "cache",
        quiet=True,
    )
    began = time.perf_counter()
    job.run()
    return time.perf_counter() - began


def localizers(model: PromptableModel, folder: Path) -> dict[str, Localizer]:
    """Both sides, with nothing remembered."""
    network, settings = TrainedLocaliser(model, load_network(folder)), LocaliseSettings()
    every = replace(settings, skip_covered=False, near=None)
    return {OURS: Localizer(model, network, settings), ALL_POINTS: Localizer(model, network, every)}


def predict(localizer: Localizer, paths: Sequence[Path]) -> tuple[float, list[Localisation]]:
    """Seconds from the files to the masks, in the way of `localize predict`, and these."""
    model, threads = localizer.model, pictures_at_once(localizer.model)
    # The features that the other side has computed are out of reach within.
    with model.with_neck(model.net.vision_encoder.neck):
        began = time.perf_counter()
        results = in_order(paths, lambda path: localizer.predict(read_picture(path)), threads)
        found = [result() for _, result in results]
        return time.perf_counter() - began, found


def union(found: Localisation) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(H, W): everything that was found."""
    whole = np.zeros(found.size, dtype=bool)
    for choice in found.choices:
        whole[choice.mask.slices] |= choice.mask.bitmap
    return whole


def one_round(model: PromptableModel, folder: Path, paths: Sequence[Path], number: int) -> Round:
    """Predict all pictures on both sides; who begins changes from round to round."""
    sides = localizers(model, folder)
    seconds: dict[str, float] = {}
    found: dict[str, list[Localisation]] = {}
    for name in sorted(sides, reverse=bool(number % 2)):
        # Unmeasured, as in a run of many pictures: the first one hashes the model's weights.
        predict(sides[name], paths[-1:])
        seconds[name], found[name] = predict(sides[name], paths[:-1])
    overlaps = []
    for one, other in zip(found[OURS], found[ALL_POINTS], strict=True):
        ours, every = union(one), union(other)
        overlaps.append(float((ours & every).sum() / max(int((ours | every).sum()), 1)))
    return Round(seconds, statistics.mean(overlaps))


def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Learn once, then predict in rounds."""
    torch.set_num_threads(options.threads)
    # One more is predicted without being timed.
    count = options.limit or PICTURES
    wanted = count + options.predicted + 1
    items = draw([item for item in open_set(options.data / SET).items if item.labels], wanted, options.seed)
    if len(items) < wanted:
        raise InputError(f"{SET} has {len(items)} pictures, {wanted} are asked for; lower --limit")
    order = np.random.default_rng(options.seed).permutation(len(items)).tolist()
    learned = [items[place] for place in order[:count]]
    paths = [items[place].path for place in order[count:]]
    with tempfile.TemporaryDirectory() as folder:
        with console.status(f"learning from {len(learned)} pictures"):
            training = learn(learned, options, Path(folder))
        model, rounds = open_model(options), []
        for number in range(options.repeats):
            with console.status(f"predicting, round {number + 1} of {options.repeats}"):
                rounds.append(one_round(model, Path(folder) / "model", paths, number))
    record = figures(count, training, rounds, options)
    return {"benchmark": "weak_localisation", "text": report(record), **record}


def figures(
    count: int, training: float, rounds: Sequence[Round], options: argparse.Namespace
) -> dict[str, Any]:
    """What the JSON file has."""
    ratios = [one.seconds[ALL_POINTS] / one.seconds[OURS] for one in rounds]
    rates = {
        name: statistics.median(options.predicted / one.seconds[name] for one in rounds)
        for name in (OURS, ALL_POINTS)
    }
    return {
        "learned_from": count,
        "training_s": training,
        "predicted": options.predicted,
        "rounds": len(rounds),
        "pictures_per_s": rates,
        "ratio": statistics.median(ratios),
        "least_ratio": min(ratios),
        "greatest_ratio": max(ratios),
        "agreement": statistics.median(one.agreement for one in rounds),
        "threads": options.threads,
    }


def report(record: dict[str, Any]) -> str:
    """The table, and what of the claim holds."""
    rates, minutes = record["pictures_per_s"], record["training_s"] / 60
    rows = [
        ["learning", f"{record['learned_from']} pictures", f"{minutes:.1f} min", "", "", ""],
        [
            "predicting",
            f"{record['predicted']} pictures, {record['rounds']} rounds",
            f"{rates[OURS]:.2f} pictures/s",
            f"{rates[ALL_POINTS]:.2f} pictures/s",
            f"{record['ratio']:.2f} ({record['least_ratio']:.2f} to {record['greatest_ratio']:.2f})",
            f"{record['agreement']:.2f}",
        ],
    ]
    titles = ["", f"of {SET} (training data)", OURS, ALL_POINTS, "times faster", "mean IoU of both"]
    met = {True: "met", False: "not met"}
    enough = record["learned_from"] >= PICTURES
    learning = met[minutes <= MOST_MINUTES] if enough else "not judged, these were fewer"
    lines = [
        f"learning from {PICTURES} pictures within {MOST_MINUTES:.0f} minutes: {learning}",
        f"predicting {LEAST_RATE:.0f} pictures a second: {met[rates[OURS] >= LEAST_RATE]}",
    ]
    return markdown(titles, rows) + "\n" + "\n".join(lines)


def main() -> int:
    """Run it."""
    parser = make_parser(__doc__, f"pictures to learn from (default: {PICTURES})")
    parser.add_argument("--predicted", type=positive, default=60, help="pictures that are predicted")
    parser.add_argument("--repeats", type=positive, default=3, help="rounds of prediction")
    parser.add_argument("--epochs", type=positive, help="of the training; default: that of localize fit")
    parser.add_argument("--threads", type=positive, default=2)
    return finish(measure, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
