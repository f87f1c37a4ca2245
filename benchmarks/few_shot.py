"""Few-shot segmentation: our methods beside what a user would do instead, on seeded episodes.

    python benchmarks/few_shot.py --data ../shared/data \
        --sets fss1000_sample,neu_seg,magnetic_tile,voc2012_fewshot --shots 1,5 --episodes 40 \
        --methods prototype,forest,cosine --out results.json

Every method gets the same episodes. The mean IoU is over episodes, with a 95 % bootstrap interval;
cumulative mIoU sums over each class first, as the CD-FSS protocol does. Absent verdicts are scored as
empty predictions. Differences are paired by episode.

With `--cache DIR` the baselines' predictions and the encodings of pictures are kept on disk. A cached
prediction keeps the seconds it took when it was made. Methods in one run share the encodings of the last
pictures, which the first pays for: for timings run one method at a time, without a cache, on an idle machine.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from kiridashi.core.errors import KiridashiError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.atomic import atomic_path, write_json
from kiridashi.evaluate.answering import Prediction, Segmenter, answer
from kiridashi.evaluate.baselines import CosinePrototypes, RandomForestPixels
from kiridashi.evaluate.episodes import Episode, Example, FewShotSet, sample_episodes
from kiridashi.evaluate.intervals import Interval, bootstrap_mean, paired_difference
from kiridashi.evaluate.metrics import CumulativeIou, Overlap, overlap
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import Features, PromptableModel

SETS = ("fss1000_sample", "neu_seg", "magnetic_tile", "voc2012_fewshot")
BASELINES = ("forest", "cosine")


def _prototype(model: PromptableModel) -> Segmenter:
    from kiridashi.reference.prototype import Prototype

    return Prototype(model)


def _concat(model: PromptableModel) -> Segmenter:
    from kiridashi.reference.concat import Concat

    return Concat(model)


METHODS: dict[str, Callable[[PromptableModel], Segmenter]] = {
    "prototype": _prototype,
    "concat": _concat,
    "forest": lambda _: RandomForestPixels(),
    "cosine": CosinePrototypes,
}


class CachedModel(PromptableModel):
    """Keeps encodings on disk and remembers what they cost when they were made."""

    def __init__(self, model: PromptableModel, folder: Path) -> None:
        super().__init__(model.net, model.card)
        self.folder = folder / "encodings" / encoder_name(model)
        self.saved_seconds = 0.0

    def encode(self, picture: Picture) -> Features:
        """As the model's own, but read from the disk where it was computed before."""
        from safetensors import safe_open
        from safetensors.torch import save_file

        if picture.digest in self._encoded:
            return super().encode(picture)
        path = self.folder / f"{picture.digest}.safetensors"
        if path.is_file():
            with safe_open(path, framework="pt") as stored:
                self.saved_seconds += float(stored.metadata()["seconds"])
                tensors = {key: stored.get_tensor(key) for key in sorted(stored.keys())}
            features = _unpack(tensors, picture.size)
            self._encoded[picture.digest] = features
            return features
        start = time.perf_counter()
        features = super().encode(picture)
        metadata = {"seconds": f"{time.perf_counter() - start:.6f}"}
        with atomic_path(path) as temporary:
            save_file(_pack(features), temporary, metadata)
        return features


def encoder_name(model: PromptableModel) -> str:
    """A folder name that changes with the weights an encoding depends on."""
    digest = hashlib.sha256(str(model.card.image_size).encode())
    decoder = model.net.mask_decoder
    for part in (model.net.vision_encoder, decoder.conv_s0, decoder.conv_s1):
        for tensor in part.state_dict().values():
            digest.update(tensor.contiguous().numpy().tobytes())
    return f"{Path(model.card.name).name}-{digest.hexdigest()[:16]}"


def folder_digest(folder: Path) -> str:
    """Changes with any picture or mask of a set."""
    digest = hashlib.sha256()
    for path in sorted((*(folder / "images").iterdir(), *(folder / "masks").iterdir())):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _pack(features: Features) -> dict[str, torch.Tensor]:
    tensors = {f"level{i}": level for i, level in enumerate(features.levels)}
    tensors |= {f"trunk{i}": level for i, level in enumerate(features.trunk)}
    tensors["position"] = features.position
    return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}


def _unpack(tensors: dict[str, torch.Tensor], size: tuple[int, int]) -> Features:
    levels = tuple(tensors[name] for name in sorted(tensors) if name.startswith("level"))
    trunk = tuple(tensors[name] for name in sorted(tensors) if name.startswith("trunk"))
    return Features(levels, tensors["position"], trunk, size)


@dataclass(frozen=True)
class Outcome:
    """One prediction and how well it fits."""

    episode: Episode
    counts: Overlap
    prediction: Prediction


class PredictionCache:
    """Baselines' predictions of one set on disk, keyed by method, model, the set's files and episode."""

    def __init__(self, folder: Path, model: PromptableModel, data: Path) -> None:
        self.folder = folder / "predictions"
        self.encoder = encoder_name(model)
        self.data = folder_digest(data)

    def path(self, method: str, episode: Episode) -> Path:
        """The file of one prediction; the forest does not depend on the model."""
        maker = method if method == "forest" else f"{method}-{self.encoder}"
        key = hashlib.sha256(f"{self.data}\n{episode.key}".encode()).hexdigest()[:24]
        return self.folder / maker / f"{key}.json"

    def get(self, method: str, episode: Episode) -> Prediction | None:
        """A stored prediction."""
        path = self.path(method, episode)
        if method not in BASELINES or not path.is_file():
            return None
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Prediction(**(stored | {"mask": Mask.from_rle(stored["mask"])}))

    def put(self, method: str, episode: Episode, prediction: Prediction) -> None:
        """Store a baseline's prediction; those of methods under development are not kept."""
        if method not in BASELINES:
            return
        path = self.path(method, episode)
        fields = {key: value for key, value in vars(prediction).items() if key != "mask"}
        write_json(path, fields | {"mask": prediction.mask.to_rle()})


def predict_episode(
    model: PromptableModel, method: str, supports: Sequence[Example], query: Example
) -> Prediction:
    """Fit on the supports, predict the query; encodings read from disk count with their first cost."""
    references = [support.as_reference() for support in supports]
    return answer(METHODS[method](model), references, query.picture, lambda: _clock(model))


def _clock(model: PromptableModel) -> float:
    return time.perf_counter() + (model.saved_seconds if isinstance(model, CachedModel) else 0.0)


def run_set(
    source: FewShotSet,
    episodes: Sequence[Episode],
    methods: Sequence[str],
    model: PromptableModel,
    cache: PredictionCache | None,
    console: Console,
) -> dict[str, list[Outcome]]:
    """Every method on every episode of one set."""
    outcomes: dict[str, list[Outcome]] = {method: [] for method in methods}
    title = f"{source.name}, {len(episodes[0].supports)} shot"
    for episode in track(episodes, description=title, console=console, transient=True):
        query = source.read(episode.query, episode.label)
        supports: list[Example] = []
        for method in methods:
            prediction = cache.get(method, episode) if cache else None
            if prediction is None:
                supports = supports or [source.read(name, episode.label) for name in episode.supports]
                prediction = predict_episode(model, method, supports, query)
                if cache:
                    cache.put(method, episode, prediction)
            counts = overlap(prediction.mask.to_array(), query.mask.to_array(), query.ignore.to_array())
            outcomes[method].append(Outcome(episode, counts, prediction))
    return outcomes


def summarise(source: str, shots: int, outcomes: dict[str, list[Outcome]]) -> list[dict[str, Any]]:
    """One row a method: averages with intervals, and paired differences to the baselines in the run."""
    ious = {method: [outcome.counts.iou for outcome in rows] for method, rows in outcomes.items()}
    summary = []
    for method, rows in outcomes.items():
        cumulative = CumulativeIou()
        for outcome in rows:
            cumulative.add(outcome.episode.label, outcome.counts)
        rivals = [name for name in BASELINES if name in outcomes and method not in BASELINES]
        summary.append(
            {
                "set": source,
                "shots": shots,
                "method": method,
                "mean_iou": asdict(bootstrap_mean(ious[method])),
                "cumulative_miou": cumulative.miou,
                "fb_iou": cumulative.fb_iou,
                "by_class": dict(cumulative.by_class),
                "ahead_of": {name: asdict(paired_difference(ious[method], ious[name])) for name in rivals},
                "called_absent": sum(not outcome.prediction.present for outcome in rows),
                "fit_seconds": float(np.mean([outcome.prediction.fit_seconds for outcome in rows])),
                "predict_seconds": float(np.mean([outcome.prediction.predict_seconds for outcome in rows])),
                "episodes": [
                    {"label": o.episode.label, "query": o.episode.query, "supports": o.episode.supports}
                    | {"iou": o.counts.iou, "present": o.prediction.present}
                    for o in rows
                ],
            }
        )
    return summary


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a markdown table."""
    rivals = list(dict.fromkeys(name for row in rows for name in row["ahead_of"]))
    titles = ["set", "shots", "method", "n", "mean IoU [95 %]", "cumulative mIoU", "FB-IoU"]
    titles += ["absent", "fit s", "s/picture"]
    titles += [f"minus {name} [95 %]" for name in rivals]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(_cells(row, rivals)) + " |" for row in rows]
    return "\n".join(lines)


def _cells(row: dict[str, Any], rivals: Sequence[str]) -> Iterator[str]:
    mean = Interval(**row["mean_iou"])
    yield from (row["set"], str(row["shots"]), row["method"], str(mean.count), str(mean))
    yield from (f"{row['cumulative_miou']:.3f}", f"{row['fb_iou']:.3f}", str(row["called_absent"]))
    yield from (f"{row['fit_seconds']:.2f}", f"{row['predict_seconds']:.2f}")
    for name in rivals:
        lead = row["ahead_of"].get(name)
        yield f"{lead['mean']:+.3f} [{lead['low']:+.3f}, {lead['high']:+.3f}]" if lead else ""


def machine() -> dict[str, Any]:
    """Where the run took place, for the record."""
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    return versions | {
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str) -> list[int]:
    return [int(part) for part in _names(text)]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder that holds the sets"
    )
    parser.add_argument("--sets", type=_names, default=list(SETS))
    parser.add_argument("--shots", type=numbers, default=[1, 5])
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", type=_names, default=["prototype", "forest", "cosine"])
    parser.add_argument("--model", default="compact")
    parser.add_argument("--cache", type=Path, help="keep baselines' predictions and encodings here")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    """All sets and shots; see the module."""
    unknown = [name for name in options.methods if name not in METHODS]
    if unknown:
        raise UsageError(f"no method {unknown[0]!r}; there are {', '.join(METHODS)}")
    model = load_model(options.model)
    if options.cache:
        model = CachedModel(model, options.cache)
    rows: list[dict[str, Any]] = []
    for name in options.sets:
        source = FewShotSet(options.data / name)
        cache = PredictionCache(options.cache, model, options.data / name) if options.cache else None
        for shots in options.shots:
            episodes = sample_episodes(source, shots, options.episodes, options.seed)
            outcomes = run_set(source, episodes, options.methods, model, cache, console)
            rows += summarise(source.name, shots, outcomes)
    return rows


def main() -> int:
    """Run, print the table, write the JSON."""
    options = parse()
    console = Console(stderr=True)
    try:
        rows = run(options, console)
    except KiridashiError as error:
        console.print(str(error), style="red")
        return 2
    print(table(rows))
    if options.out:
        settings = {"seed": options.seed, "model": options.model}
        write_json(options.out, {"machine": machine(), "settings": settings, "rows": rows}, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
