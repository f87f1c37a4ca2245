"""Few-shot adapting beside what it must beat: the base, a random forest and a small U-Net, at equal shots.

    python benchmarks/adapting.py --data ../shared/data --sets magnetic_tile,neu_seg --shots 10 \
        --seeds 0,1,2 --runs adapting --json adapting.json

For each set, class and seed, K pictures of the class are the shots; every other picture with the class is a
query, but for one that looks the same as a shot of any class. The seeds go around one shuffled circle of the
class's pictures, so that as many pictures as possible are a query once before one is again. Rows:

- `base`: method `prototype` on the model as it is;
- `adapted`: method `adapted`, a network of the references' own beside the prior;
- `lora`, `neck`, `decoder`: `prototype` on the model with a delta of `kiridashi adapt`, tuned on the K
  pictures of all classes of this draw together (the base where tuning brought nothing);
- `neck+adapted`: both;
- `forest`: scikit-image's trainable segmentation; `unet`: a small U-Net from nothing.

All methods answer without the verdict of presence, as the baselines do: every query holds the class.
`--verdict` gives our rows the verdict, and absent counts as empty. Every line is kept in `--runs DIR`, and a
run that was interrupted goes on. Intervals: 95 % bootstrap over queries, with all seeds of one query
together; differences are paired by query and seed.

Two cores, idle: about a minute for each set, class and seed for `base`, `adapted` and `forest` together,
two minutes for each delta of a set and seed, and what the U-Net takes. `--rows base,adapted --seeds 0` is a
part of it.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from rich.console import Console

from common.command import draw as draw_some
from common.command import finish, make_parser, open_model
from kiridashi.adapt.adapting import adapt
from kiridashi.adapt.options import AdaptOptions
from kiridashi.adapt.samples import Sample
from kiridashi.cli.adapt_priors import cross_fitted
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.data.atomic import write_json
from kiridashi.evaluate.baselines.named import make_baseline
from kiridashi.evaluate.episodes import Example, FewShotSet
from kiridashi.evaluate.intervals import Interval, grouped_mean
from kiridashi.evaluate.metrics import iou
from kiridashi.evaluate.pictures.twins import Twins, find_twins
from kiridashi.models.delta import PARTS, Applied, Delta, apply_delta, open_delta
from kiridashi.models.delta.parts import check_part
from kiridashi.models.fingerprint import model_fingerprint
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.methods import make_method

ROWS = ("base", "adapted", "decoder", "neck", "lora", "neck+adapted", "forest", "unet")
BASE = "base"
RIVALS = ("base", "forest", "unet")


@dataclass(frozen=True)
class Draw:
    """The shots of one class of one set.

    Attributes:
        label: the class.
        seed: of the draw.
        supports: ids of the K pictures.
        queries: ids of all others with the class.
    """

    label: str
    seed: int
    supports: tuple[str, ...]
    queries: tuple[str, ...]


def draws(source: FewShotSet, shots: int, seed: int, twins: Twins = MappingProxyType({})) -> list[Draw]:
    """Of every class with more pictures than shots; no shot of any class, nor its twin, is a query."""
    picked: dict[str, tuple[str, ...]] = {}
    for number, (label, names) in enumerate(source.classes.items()):
        circle = np.random.default_rng(number).permutation(len(names))
        order = np.roll(circle, seed * max(len(names) - shots, 1))
        picked[label] = tuple(names[place] for place in order[:shots])
    shown = {name for names in picked.values() for name in names}
    known = shown.union(*(twins.get(name, ()) for name in shown))
    made = [
        Draw(label, seed, picked[label], tuple(name for name in names if name not in known))
        for label, names in source.classes.items()
    ]
    return [draw for draw in made if draw.queries]


class Bench:
    """One set at one number of shots.

    Args:
        folder: of the set.
        model: the base.
        options: of the command.
        console: to tell what is done.
    """

    def __init__(
        self, folder: Path, model: PromptableModel, options: argparse.Namespace, console: Console
    ) -> None:
        self.source = FewShotSet(folder)
        self.twins = find_twins(self.source)
        self.model, self.console = model, console
        self.shots, self.verdict, self.limit = options.shots, options.verdict, options.limit
        kind = f"{self.shots}{'-verdict' if self.verdict else ''}{f'-{self.limit}' if self.limit else ''}"
        self.runs = options.runs / f"{self.source.name}-{kind}-{model_fingerprint(model)[:12]}"

    def lines(self, rows: Sequence[str], seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Every answer, read where it has been given before."""
        for seed in seeds:
            drawn = draws(self.source, self.shots, seed, self.twins)
            for row in rows:
                for draw in drawn:
                    yield from self._answers(row, draw, drawn)

    def _answers(self, row: str, draw: Draw, drawn: Sequence[Draw]) -> list[dict[str, Any]]:
        name = "".join(letter if letter.isalnum() else "-" for letter in draw.label)
        path = self.runs / row / f"{draw.seed}-{name}.json"
        if path.is_file():
            kept: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
            return kept
        self.console.print(f"{self.source.name} {draw.label} seed {draw.seed}: {row}", highlight=False)
        references = [self.source.read(name, draw.label).as_reference() for name in draw.supports]
        applied = self._applied(row, drawn)
        try:
            start = time.perf_counter()
            method = self._method(row, applied.model if applied else self.model, draw.seed)
            method.fit(references)
            fit = time.perf_counter() - start
            queries = draw_some(draw.queries, self.limit, draw.seed)
            found = [self._line(row, draw, query, method, fit) for query in queries]
        finally:
            if applied is not None:
                applied.remove()
        write_json(path, found)
        return found

    def _line(self, row: str, draw: Draw, query: str, method: Any, fit: float) -> dict[str, Any]:
        example: Example = self.source.read(query, draw.label)
        start = time.perf_counter()
        found = method.predict(example.picture)
        seconds = time.perf_counter() - start
        mask = found.union() if len(found) else Mask.empty(example.picture.size)
        value = iou(mask.to_array(), example.mask.to_array(), example.ignore.to_array())
        line = {"set": self.source.name, "row": row, "label": draw.label, "seed": draw.seed, "query": query}
        return line | {"iou": float(value), "fit": fit, "predict": seconds}

    def _method(self, row: str, model: PromptableModel, seed: int) -> Any:
        if row in ("forest", "unet"):
            return make_baseline(row, model, seed)
        name = "adapted" if row.endswith("adapted") else "prototype"
        fresh = PromptableModel(model.net, model.card)
        return make_method(name, fresh, verdict=self.verdict, seed=seed)

    def _applied(self, row: str, drawn: Sequence[Draw]) -> Applied | None:
        part = row.partition("+")[0]
        if part not in PARTS:
            return None
        delta = self._delta(part, drawn)
        return None if delta is None else apply_delta(self.model, delta)

    def _delta(self, part: str, drawn: Sequence[Draw]) -> Delta | None:
        """Tuned on the shots of all classes together; None where it brought nothing."""
        seed = drawn[0].seed
        folder = self.runs / "deltas"
        path, card = folder / f"{part}-{seed}.safetensors", folder / f"{part}-{seed}.json"
        if card.is_file():
            return open_delta(path) if path.is_file() else None
        self.console.print(f"{self.source.name} seed {seed}: adapting the {part}", highlight=False)
        samples = [self._sample(name, draw.label) for draw in drawn for name in draw.supports]
        start = time.perf_counter()
        done = adapt(
            self.model,
            samples,
            AdaptOptions(part=check_part(part), seed=seed),
            priors=partial(_priors, self.model, seed),
            checkpoint=folder / f"{part}-{seed}.state.safetensors",
        )
        if done.delta is not None:
            done.delta.save(path)
        write_json(card, done.card | {"seconds": time.perf_counter() - start}, indent=1)
        return done.delta

    def _sample(self, name: str, label: str) -> Sample:
        one = self.source.read(name, label)
        return Sample(one.picture, one.mask, label, one.ignore)


def _priors(model: PromptableModel, seed: int, samples: Sequence[Sample]) -> Any:
    return cross_fitted(model, samples, seed)


def summarise(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each set and row the mean IoU over classes and queries, and its paired leads."""
    summary = []
    for name in dict.fromkeys(line["set"] for line in lines):
        by_row: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
        for line in lines:
            if line["set"] == name:
                key = (line["label"], line["query"], line["seed"])
                by_row.setdefault(line["row"], {})[key] = line
        for row, mine in by_row.items():
            rivals = [one for one in RIVALS if one in by_row and one != row and row not in ("forest", "unet")]
            labels = list(dict.fromkeys(key[0] for key in mine))
            summary.append(
                {
                    "set": name,
                    "row": row,
                    "mean": _plain(_mean(mine)),
                    "by_class": {
                        label: float(np.mean([line["iou"] for key, line in mine.items() if key[0] == label]))
                        for label in labels
                    },
                    "leads": {one: _plain(_lead(mine, by_row[one])) for one in rivals},
                    "fit": float(np.mean([line["fit"] for line in mine.values()])),
                    "predict": float(np.mean([line["predict"] for line in mine.values()])),
                }
            )
    return summary


def _mean(mine: dict[tuple[Any, ...], dict[str, Any]]) -> Interval:
    return grouped_mean([line["iou"] for line in mine.values()], [f"{key[1]}" for key in mine])


def _lead(
    mine: dict[tuple[Any, ...], dict[str, Any]], other: dict[tuple[Any, ...], dict[str, Any]]
) -> Interval:
    both = [key for key in mine if key in other]
    if not both:
        raise UsageError("the rows have no query in common; run them with the same seeds")
    return grouped_mean([mine[key]["iou"] - other[key]["iou"] for key in both], [f"{key[1]}" for key in both])


def _plain(interval: Interval) -> dict[str, float]:
    return dict(vars(interval))


def table(summary: Sequence[dict[str, Any]]) -> str:
    """As markdown."""
    leads = [f"minus {one} [95 %]" for one in RIVALS]
    titles = ["set", "row", "mean IoU [95 %]", *leads, "fit s", "s/picture"]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in summary:
        mean = Interval(**row["mean"])
        leads = []
        for one in RIVALS:
            lead = row["leads"].get(one)
            leads.append(f"{lead['mean']:+.3f} [{lead['low']:+.3f}, {lead['high']:+.3f}]" if lead else "")
        cells = [row["set"], row["row"], str(mean), *leads, f"{row['fit']:.1f}", f"{row['predict']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All sets; see the module."""
    unknown = [row for row in options.rows if row not in ROWS]
    if unknown:
        raise UsageError(f"no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    model = open_model(options)
    lines: list[dict[str, Any]] = []
    for name in options.sets:
        bench = Bench(options.data / name, model, options, console)
        lines += bench.lines(options.rows, options.seeds)
    summary = summarise(lines)
    return {"text": table(summary), "rows": summary}


def _split(text: str, kind: Callable[[str], Any] = str) -> list[Any]:
    return [kind(part.strip()) for part in text.split(",") if part.strip()]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = make_parser(__doc__, "queries of each class and seed")
    parser.add_argument("--sets", type=_split, default=["magnetic_tile", "neu_seg"])
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--seeds", type=partial(_split, kind=int), default=[0, 1, 2])
    parser.add_argument("--rows", type=_split, default=list(ROWS))
    parser.add_argument("--runs", type=Path, default=Path("runs/adapting"))
    parser.add_argument("--verdict", action="store_true")
    return finish(run, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
