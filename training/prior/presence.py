"""Fit the presence head of the fusion network, all else frozen, to episodes of which many are absent.

python -m training.prior.gather --data ../shared/data --out runs/prior/absent --sites 160 --seed 8 --absent
python -m training.prior.presence --evidence runs/prior/absent --run runs/prior/fit
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from kiridashi.reference.prior.fusion import FusionNet
from training.prior.fit import BATCH, Batch, collate, forward, load_episodes

STEPS = 800
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1.0
# Noise on the standardised inputs: there are few episodes for so many numbers.
NOISE = 0.6


@dataclass(frozen=True)
class Cases:
    """What the head sees of each episode, and whether the thing is there."""

    rows: Tensor
    present: Tensor


def restore(run: Path) -> FusionNet:
    """The run's best network; a presence head of another shape starts anew."""
    net = FusionNet()
    state = torch.load(run / "best.pt", weights_only=True)
    fitting = {name: t for name, t in state.items() if t.shape == net.state_dict()[name].shape}
    net.load_state_dict(fitting, strict=False)
    return net.eval()


@torch.no_grad()
def head_inputs(net: FusionNet, episodes: list[Batch]) -> Cases:
    """Run the frozen part once."""
    rows: list[Tensor] = []
    hook = net.presence.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0]))
    present = []
    for start in range(0, len(episodes), BATCH):
        batch = collate(episodes[start : start + BATCH], "cpu")
        forward(net, batch)
        present.append((batch["target"][:, 0].amax((1, 2)) > 0).float())
    hook.remove()
    return Cases(torch.cat(rows), torch.cat(present))


def fit_head(net: FusionNet, cases: Cases, seed: int = 0) -> None:
    """Train the head on standardised inputs, then fold the standardisation into its first layer."""
    torch.manual_seed(seed)
    mean, spread = cases.rows.mean(0), cases.rows.std(0) + 1e-3
    rows = (cases.rows - mean) / spread
    weight = torch.where(cases.present > 0, 0.5 / cases.present.mean(), 0.5 / (1 - cases.present.mean()))
    for layer in net.presence:
        if isinstance(layer, torch.nn.Linear):
            layer.reset_parameters()
    optimiser = torch.optim.AdamW(net.presence.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        chosen = torch.randint(len(rows), (256,))
        noisy = rows[chosen] + NOISE * torch.randn(256, rows.shape[1])
        logits = net.presence(noisy)[:, 0]
        value = F.binary_cross_entropy_with_logits(logits, cases.present[chosen], weight=weight[chosen])
        optimiser.zero_grad()
        torch.autograd.backward(value)
        optimiser.step()
    with torch.no_grad():
        first = net.presence[0]
        assert isinstance(first, torch.nn.Linear)
        first.weight.div_(spread)
        first.bias.sub_(first.weight @ mean)


@torch.no_grad()
def report(net: FusionNet, cases: Cases, kinds: list[str]) -> None:
    """Print the AUROC by kind, and both error rates at a few thresholds."""
    scores, present = net.presence(cases.rows)[:, 0].sigmoid().numpy(), cases.present.numpy() > 0
    for kind in sorted(set(kinds)):
        own = np.array(kinds) == kind
        print(f"{kind}: AUROC {roc_auc_score(present[own], scores[own]):.3f}", end="")
        for threshold in (0.1, 0.2, 0.25, 0.3, 0.4, 0.5):
            kept = (scores[own & present] >= threshold).mean()
            refused = (scores[own & ~present] < threshold).mean()
            print(f"  {threshold}: {kept:.2f}/{refused:.2f}", end="")
        print()


def main() -> None:
    """Fit, report on the sites held aside, and put the weights into the run's best."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evidence", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    arguments = parser.parse_args()
    episodes = load_episodes(arguments.evidence)
    net = restore(arguments.run)
    fit_head(net, head_inputs(net, episodes.training))
    report(net, head_inputs(net, episodes.validation), episodes.kinds)
    torch.save(net.state_dict(), arguments.run / "best.pt")


if __name__ == "__main__":
    main()
