"""Compute the evidence of many episodes once and keep it on disk: the trunk is frozen.

python -m training.prior.gather --data ../shared/data --out runs/prior/evidence --sites 600
"""

import argparse
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

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


class Judge:
    """References, and the evidence for any number of queries."""

    def __init__(self, shots: list[Example], seed: int) -> None:
        self._memories = [remember(shots, level) for level in LEVELS]
        self._forest = AppearanceForest(seed).fit(shots)
        self._facts = reference_facts(shots, self._memories)

    def evidence(self, view: View) -> Evidence:
        """Evidence for one query."""
        return gather_evidence(view, self._memories, self._forest, self._facts)


def to_tensors(evidence: Evidence, target: Tensor) -> dict[str, Tensor]:
    """Half-precision tensors of one episode, by name."""
    tensors = {f"similarity{i}": level.half() for i, level in enumerate(evidence.similarity)}
    tensors |= {f"trunk{i}": level.half() for i, level in enumerate(evidence.trunk)}
    tensors["appearance"] = evidence.appearance.half()
    tensors["thumbnail"] = (evidence.thumbnail * 255).round().to(torch.uint8)
    tensors["facts"] = evidence.facts.clone()
    tensors["target"] = target
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def target_grid(mask: NDArray[np.uint8]) -> Tensor:
    """(2, GRID, GRID) uint8: share of the object (of 255), and share that counts."""
    both = torch.from_numpy(np.stack([mask == 1, mask != IGNORE])).float()[None]
    small = F.interpolate(both, size=(GRID, GRID), mode="bilinear", antialias=True)[0].clamp(0, 1)
    return (small * 255).round().to(torch.uint8)


class Elsewhere:
    """Views of recent sites, to ask for a thing where it surely is not.

    Photographs may hold anything, so what is looked for in photographs is only asked of surfaces.
    """

    FOREIGN: ClassVar[dict[str, tuple[str, ...]]] = {
        "voc": ("surfaces",),
        "stamps": ("surfaces", "voc"),
        "surfaces": ("voc", "stamps"),
    }

    def __init__(self, kept: int = 20) -> None:
        self._views: dict[str, deque[View]] = {kind: deque(maxlen=kept) for kind in KINDS}

    def add(self, kind: str, views: Sequence[View]) -> None:
        """Remember a site's views."""
        self._views[kind].extend(views)

    def draw(self, kind: str, rng: np.random.Generator) -> View | None:
        """A view that cannot hold what a site of this kind looks for; None as long as there is none."""
        foreign = [view for other in self.FOREIGN[kind] for view in self._views[other]]
        return foreign[rng.integers(len(foreign))] if foreign else None


def site_episodes(
    site: Site, rng: np.random.Generator, elsewhere: Elsewhere | None = None
) -> list[dict[str, Tensor]]:
    """Each picture of the site once as the query, with 1 to 4 others as references.

    Some queries are replaced by the site's picture without the thing. With `elsewhere`, that picture
    and one of another kind are asked beside each query.
    """
    model = load_model()
    views = [look(model, Picture(pixels)) for pixels, _ in site.samples]
    masks = [Mask.from_array(mask == 1) for _, mask in site.samples]
    nothing = np.zeros(site.absent.shape[:2], np.uint8)
    bare = look(model, Picture(site.absent))
    episodes = []
    for query in range(len(views)):
        others = [i for i in rng.permutation(len(views)) if i != query and not masks[i].is_empty]
        shots = [Example(views[i], masks[i]) for i in others[: rng.choice([1, 1, 2, 4])]]
        if not shots:
            continue
        asked = [(views[query], site.samples[query][1])]
        if elsewhere is not None:
            foreign = elsewhere.draw(site.kind, rng)
            asked += [(bare, nothing)] + ([(foreign, nothing)] if foreign else [])
        elif rng.random() < ABSENT_SHARE:
            asked = [(bare, nothing)]
        judge = Judge(shots, int(rng.integers(2**31)))
        episodes += [to_tensors(judge.evidence(view), target_grid(target)) for view, target in asked]
    if elsewhere is not None:
        elsewhere.add(site.kind, views)
    return episodes


def main() -> None:
    """Write one safetensors file a site; sites already there are skipped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sites", type=int, default=600)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--absent", action="store_true", help="ask beside each query where the thing is not")
    parser.add_argument("--part", default="0/1", help="i/n: this process's share of the sites")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    maker = SiteMaker(arguments.data)
    elsewhere = Elsewhere() if arguments.absent else None
    part, parts = (int(n) for n in arguments.part.split("/"))
    started = time.monotonic()
    for number in range(part, arguments.sites, parts):
        rng = np.random.default_rng([arguments.seed, number])
        kind = KINDS[rng.choice(3, p=KIND_SHARES)]
        path = arguments.out / f"{number:05d}_{kind}.safetensors"
        if path.exists():
            continue
        episodes = site_episodes(maker.kinds[kind](PICTURES_A_SITE, rng), rng, elsewhere)
        tensors = {f"{i}.{name}": tensor for i, one in enumerate(episodes) for name, tensor in one.items()}
        save_file(tensors, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
        print(f"{number} {kind} {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
