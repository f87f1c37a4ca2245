"""Compute the evidence of many episodes once and keep it on disk: the trunk is frozen.

python -m training.prior.gather --data ../shared/data --out runs/prior/evidence --sites 600
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.loading import load_model
from kiridashi.reference.prior.appearance import AppearanceForest
from kiridashi.reference.prior.evidence import GRID, Example, View, look
from kiridashi.reference.prior.fusion import Evidence, gather_evidence, reference_facts
from kiridashi.reference.prior.similarity import LEVELS, remember
from training.prior.sites import ABSENT_SHARE, IGNORE, Site, SiteMaker

KINDS = ("voc", "stamps", "surfaces")
KIND_SHARES = (0.42, 0.28, 0.30)
PICTURES_A_SITE = 5


def episode_evidence(view: View, shots: list[Example], seed: int) -> Evidence:
    """Evidence for one query from its references."""
    memories = [remember(shots, level) for level in LEVELS]
    forest = AppearanceForest(seed).fit(shots)
    return gather_evidence(view, memories, forest, reference_facts(shots, memories))


def to_tensors(evidence: Evidence, target: Tensor) -> dict[str, Tensor]:
    """Half-precision tensors of one episode, by name."""
    tensors = {f"similarity{i}": level.half() for i, level in enumerate(evidence.similarity)}
    tensors |= {f"trunk{i}": level.half() for i, level in enumerate(evidence.trunk)}
    tensors["appearance"] = evidence.appearance.half()
    tensors["thumbnail"] = (evidence.thumbnail * 255).round().to(torch.uint8)
    tensors["facts"] = evidence.facts
    tensors["target"] = target
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def target_grid(mask: NDArray[np.uint8]) -> Tensor:
    """(2, GRID, GRID) uint8: share of the object (of 255), and share that counts."""
    both = torch.from_numpy(np.stack([mask == 1, mask != IGNORE])).float()[None]
    small = F.interpolate(both, size=(GRID, GRID), mode="bilinear", antialias=True)[0].clamp(0, 1)
    return (small * 255).round().to(torch.uint8)


def site_episodes(site: Site, rng: np.random.Generator) -> list[dict[str, Tensor]]:
    """Each picture of the site once as the query, with 1 to 4 others as references."""
    model = load_model()
    views = [look(model, Picture(pixels)) for pixels, _ in site.samples]
    masks = [Mask.from_array(mask == 1) for _, mask in site.samples]
    episodes = []
    for query in range(len(views)):
        others = [i for i in rng.permutation(len(views)) if i != query and not masks[i].is_empty]
        shots = [Example(views[i], masks[i]) for i in others[: rng.choice([1, 1, 2, 4])]]
        if not shots:
            continue
        if rng.random() < ABSENT_SHARE:
            view, target = look(model, Picture(site.absent)), np.zeros(site.absent.shape[:2], np.uint8)
        else:
            view, target = views[query], site.samples[query][1]
        seed = int(rng.integers(2**31))
        episodes.append(to_tensors(episode_evidence(view, shots, seed), target_grid(target)))
    return episodes


def main() -> None:
    """Write one safetensors file a site; sites already there are skipped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sites", type=int, default=600)
    parser.add_argument("--part", default="0/1", help="i/n: this process's share of the sites")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    maker = SiteMaker(arguments.data)
    part, parts = (int(n) for n in arguments.part.split("/"))
    started = time.monotonic()
    for number in range(part, arguments.sites, parts):
        rng = np.random.default_rng([7, number])
        kind = KINDS[rng.choice(3, p=KIND_SHARES)]
        path = arguments.out / f"{number:05d}_{kind}.safetensors"
        if path.exists():
            continue
        episodes = site_episodes(maker.kinds[kind](PICTURES_A_SITE, rng), rng)
        tensors = {f"{i}.{name}": tensor for i, one in enumerate(episodes) for name, tensor in one.items()}
        save_file(tensors, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
        print(f"{number} {kind} {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
