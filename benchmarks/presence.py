"""The presence verdict: how often is "here" and "not here" right, with and without negatives?

    python benchmarks/presence.py --data ../shared/data --episodes 30

For each episode a method is fitted to K references and M negatives (pictures of the set without the
class), then asked about one picture that holds the class and one that does not, neither seen before.
Prints the share of right verdicts on either side with 95 % bootstrap intervals, and the area under the
ROC curve of the score: 0.5 is guessing.
"""

import argparse
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from rich.console import Console
from rich.progress import track
from sklearn.metrics import roc_auc_score

from kiridashi.core.reference import Negative
from kiridashi.core.segments import Verdict
from kiridashi.evaluate.episodes import Episode, FewShotSet, sample_episodes
from kiridashi.evaluate.intervals import bootstrap_mean
from kiridashi.models.loading import load_model
from kiridashi.reference.methods import METHOD_NAMES, make_method

SETS = ("fss1000_sample", "neu_seg", "magnetic_tile", "voc2012_fewshot")


@dataclass(frozen=True)
class Setting:
    """How much a method is told."""

    shots: int
    negatives: int


SETTINGS = (Setting(1, 0), Setting(5, 0), Setting(5, 5))


def ask(
    source: FewShotSet, episode: Episode, setting: Setting, method: str, model: str
) -> tuple[Verdict, Verdict]:
    """Verdicts for a picture with the class and for one without."""
    rng = np.random.default_rng([episode.index, setting.negatives])
    absent, *refused = rng.permutation(source.without(episode.label))[: 1 + setting.negatives]
    references = [source.read(name, episode.label).as_reference() for name in episode.supports]
    negatives = [Negative(source.read(str(name), episode.label).picture) for name in refused]
    fitted = make_method(method, load_model(model)).fit(references, negatives)
    verdicts = [
        fitted.predict(source.read(str(name), episode.label).picture).verdict
        for name in (episode.query, absent)
    ]
    assert verdicts[0] is not None
    assert verdicts[1] is not None
    return verdicts[0], verdicts[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder that holds the sets"
    )
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--episodes", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", choices=METHOD_NAMES, default="prototype")
    parser.add_argument("--model", default="compact")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    print("| set | references | negatives | n | present called present | absent called absent | AUROC |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for name in arguments.sets.split(","):
        source = FewShotSet(arguments.data / name)
        for setting in SETTINGS:
            episodes = sample_episodes(source, setting.shots, arguments.episodes, arguments.seed)
            asked = [
                ask(source, episode, setting, arguments.method, arguments.model)
                for episode in track(
                    episodes, description=f"{name} {setting}", console=console, transient=True
                )
            ]
            here = bootstrap_mean([float(with_.present) for with_, _ in asked])
            gone = bootstrap_mean([float(not without.present) for _, without in asked])
            scores = [with_.score for with_, _ in asked] + [without.score for _, without in asked]
            auroc = float(roc_auc_score([1] * len(asked) + [0] * len(asked), scores))
            print(
                f"| {name} | {setting.shots} | {setting.negatives} | {len(asked)} "
                f"| {here.mean:.2f} [{here.low:.2f}, {here.high:.2f}] "
                f"| {gone.mean:.2f} [{gone.low:.2f}, {gone.high:.2f}] | {auroc:.2f} |",
                flush=True,
            )
            rows.append(
                {"set": name} | asdict(setting) | {"present": here.mean, "absent": gone.mean, "auroc": auroc}
            )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
