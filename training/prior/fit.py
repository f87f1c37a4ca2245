"""Fit the fusion network to gathered evidence; resumable, on CPU or a GPU.

python -m training.prior.fit --evidence runs/prior/evidence --out runs/prior/fit
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from kiridashi.reference.prior.fusion import Fused, FusionNet

VALIDATION_EVERY = 10
DROP_EVIDENCE = 0.08
BATCH = 8
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
LEAST_TARGET = 0.3
PRESENCE_WEIGHT = 0.3
# Absent cases are about a sixth of the episodes.
ABSENT_WEIGHT = 3.0
# Without its own trunk maps the network must rely on likeness, which any object has.
DROP_TRUNK = 0.25

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Episodes:
    """Episodes of many sites in memory, split by site into training and validation."""

    training: list[Batch]
    validation: list[Batch]
    kinds: list[str]


def load_episodes(folder: Path, limit: int | None = None) -> Episodes:
    """Read the sites' files; every tenth site validates."""
    training, validation, kinds = [], [], []
    for path in sorted(folder.glob("*.safetensors"))[:limit]:
        number, kind = path.stem.split("_")
        tensors = load_file(path)
        for index in sorted({name.split(".")[0] for name in tensors}):
            episode = {name.split(".")[1]: t for name, t in tensors.items() if name.split(".")[0] == index}
            if int(number) % VALIDATION_EVERY == 0:
                validation.append(episode)
                kinds.append(kind)
            else:
                training.append(episode)
    return Episodes(training, validation, kinds)


def collate(episodes: list[Batch], device: str) -> Batch:
    """Stack episodes; 8-bit maps become floats in 0..1."""
    batch = {name: torch.stack([one[name] for one in episodes]).to(device).float() for name in episodes[0]}
    for name in ("thumbnail", "target"):
        batch[name] /= 255
    return batch


def augment(batch: Batch, rng: np.random.Generator) -> Batch:
    """Mirror all maps alike; now and then silence one kind of evidence."""
    axes = [axis for axis in (-1, -2) if rng.random() < 0.5]
    if axes:
        batch = {name: t if name == "facts" else t.flip(axes) for name, t in batch.items()}
    for name, silent in (
        ("appearance", 0.5),
        ("similarity0", 0.0),
        ("similarity1", 0.0),
        ("similarity2", 0.0),
    ):
        chosen = torch.from_numpy(rng.random(len(batch[name])) < DROP_EVIDENCE)
        batch[name][chosen] = silent
    blind = torch.from_numpy(rng.random(len(batch["facts"])) < DROP_TRUNK)
    for level in range(3):
        batch[f"trunk{level}"][blind] = 0.0
    return batch


def forward(net: FusionNet, batch: Batch) -> Fused:
    """The network on a batch."""
    similarity = [batch[f"similarity{i}"] for i in range(3)]
    trunk = [batch[f"trunk{i}"] for i in range(3)]
    fused: Fused = net(similarity, trunk, batch["appearance"], batch["thumbnail"], batch["facts"])
    return fused


def loss(fused: Fused, target: Tensor) -> Tensor:
    """Cross-entropy plus dice on the cells that count, dice only where the object is; presence beside."""
    logits = fused.prior
    inside, counts = target[:, 0], target[:, 1]
    entropy = F.binary_cross_entropy_with_logits(logits, inside, weight=counts, reduction="none")
    # Small objects weigh as much as large ones: half the weight lies on the object's cells.
    share = inside.sum((1, 2)) / inside[0].numel()
    boost = 1 + inside * (0.25 / share.clamp(min=0.01))[:, None, None]
    entropy = (entropy * boost).mean((1, 2)) / boost.mean((1, 2))
    probability = logits.sigmoid() * counts
    both = (probability * inside).sum((1, 2))
    dice = 1 - (2 * both + 1) / (probability.sum((1, 2)) + inside.sum((1, 2)) + 1)
    present = (inside.sum((1, 2)) > LEAST_TARGET).float()
    weight = torch.where(present > 0, 1.0, ABSENT_WEIGHT)
    judged = F.binary_cross_entropy_with_logits(fused.presence, present, weight=weight)
    return (entropy * 2 + dice * present).mean() + PRESENCE_WEIGHT * judged


@torch.no_grad()
def validate(net: FusionNet, episodes: Episodes, device: str) -> dict[str, float]:
    """Mean IoU at 0.5 by kind where the object is, and the AUROC of presence."""
    net.eval()
    found: dict[str, list[float]] = {}
    scores: dict[str, list[tuple[bool, float]]] = {}
    for start in range(0, len(episodes.validation), BATCH):
        batch = collate(episodes.validation[start : start + BATCH], device)
        fused = forward(net, batch)
        guess = (fused.prior > 0) & (batch["target"][:, 1] > 0.5)
        truth = batch["target"][:, 0] >= 0.5
        for offset in range(len(guess)):
            kind = episodes.kinds[start + offset]
            present = bool(batch["target"][offset, 0].max() > 0)
            scores.setdefault(kind, []).append((present, float(fused.presence[offset])))
            if truth[offset].any():
                both, either = guess[offset] & truth[offset], guess[offset] | truth[offset]
                found.setdefault(kind, []).append(float(both.sum() / either.sum()))
    net.train()
    means = {kind: float(np.mean(values)) for kind, values in sorted(found.items())}
    means["mean"] = float(np.mean(list(means.values())))
    presence = {
        f"{kind} presence": float(roc_auc_score(*zip(*pairs, strict=True))) for kind, pairs in scores.items()
    }
    return means | presence


def batches(episodes: list[Batch], steps: int, start: int, seed: int) -> Iterator[tuple[int, list[Batch]]]:
    """Seeded batches by step number, so that a resumed run sees what an unbroken one would."""
    for step in range(start, steps):
        chosen = np.random.default_rng([seed, step]).choice(len(episodes), BATCH, replace=False)
        yield step, [episodes[i] for i in chosen]


def main() -> None:
    """Train, log to JSONL, keep the best weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evidence", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--every", type=int, default=250, help="steps between validations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sites", type=int, default=None)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    arguments.out.mkdir(parents=True, exist_ok=True)
    episodes = load_episodes(arguments.evidence, arguments.sites)
    print(f"{len(episodes.training)} training episodes, {len(episodes.validation)} for validation")
    torch.manual_seed(arguments.seed)
    net = FusionNet().to(device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1, step / 100) * 0.5 * (1 + math.cos(math.pi * min(1, step / arguments.steps))),
    )
    checkpoint = arguments.out / "checkpoint.pt"
    first, best = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        first, best = state["step"], state["best"]
    started, running = time.monotonic(), 0.0
    for step, chosen in batches(episodes.training, arguments.steps, first, arguments.seed):
        rng = np.random.default_rng([arguments.seed, step, 1])
        batch = augment(collate(chosen, device), rng)
        value = loss(forward(net, batch), batch["target"])
        optimiser.zero_grad()
        torch.autograd.backward(value)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        running += (value.item() - running) * (1 if step == first else 0.02)
        if (step + 1) % arguments.every == 0 or step + 1 == arguments.steps:
            measured = validate(net, episodes, device)
            rate = (step + 1 - first) * BATCH / (time.monotonic() - started)
            line = {"step": step + 1, "loss": running, "episodes_per_second": rate, **measured}
            with (arguments.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            print(json.dumps({k: round(v, 4) for k, v in line.items()}), flush=True)
            if measured["mean"] > best:
                best = measured["mean"]
                torch.save(net.state_dict(), arguments.out / "best.pt")
            state = {
                "net": net.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step + 1,
                "best": best,
            }
            torch.save(state | {"schedule": schedule.state_dict()}, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)


if __name__ == "__main__":
    main()
