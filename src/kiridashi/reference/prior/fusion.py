"""The fusion network: from evidence of several kinds to one prior.

A small top-down convolutional network that reads similarity at strides 8, 16 and 32, the appearance
forest, and the picture itself, and says how likely each cell is the object. It is class-agnostic:
it sees how alike places are, never what they are called. It learned on made-up sites of objects
and of surfaces (`training/prior`) when to believe which evidence, which is what a switch between
"object" and "surface" would otherwise ask of the user.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.models.pooling import best_covered
from kiridashi.reference.prior.appearance import AppearanceForest
from kiridashi.reference.prior.evidence import Example, View
from kiridashi.reference.prior.similarity import CHANNELS_A_LEVEL, LEVELS, Memory, compare, contrast

TRUNK_CHANNELS = (40, 112, 320)
FACTS = 5
# Numbers that sum up a picture for the presence head.
SUMMARY = 3 + 2 * CHANNELS_A_LEVEL * len(LEVELS) + 2


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that speaks for or against the object in one picture, without a batch dimension.

    Attributes:
        similarity: per level (strides 8, 16, 32) (CHANNELS_A_LEVEL, h, w).
        trunk: per level the picture's own trunk maps (C, h, w).
        appearance: (1, GRID, GRID) probability by the forest.
        thumbnail: (3, GRID, GRID) in [0, 1].
        facts: (FACTS,) what the references say of themselves, see `reference_facts`.
    """

    similarity: tuple[Tensor, ...]
    trunk: tuple[Tensor, ...]
    appearance: Tensor
    thumbnail: Tensor
    facts: Tensor


def gather_evidence(
    view: View, memories: Sequence[Memory], forest: AppearanceForest, facts: Tensor
) -> Evidence:
    """The evidence for one picture."""
    return Evidence(
        tuple(compare(view, memory, level) for memory, level in zip(memories, LEVELS, strict=True)),
        tuple(view.trunk[level] for level in LEVELS),
        torch.from_numpy(forest.predict(view))[None],
        view.thumbnail,
        facts,
    )


def reference_facts(examples: Sequence[Example], memories: Sequence[Memory]) -> Tensor:
    """(FACTS,) how well each level tells the object apart in the references, its size, and K.

    The separation of a level is the area under the ROC curve of its prototype contrast on the
    references' own places, 0.5 (useless) to 1.
    """
    separations = []
    shown = [example for example in examples if example.inside is not None]
    for memory, level in zip(memories, LEVELS, strict=True):
        contrasts, shares = [], []
        for example in shown:
            lead = contrast(example.view, memory, level)
            contrasts.append(lead.flatten())
            shares.append(example.shares(*lead.shape)[0].flatten())
        separations.append(_auroc(torch.cat(contrasts), best_covered(torch.cat(shares))))
    cover = sum(example.inside.coverage for example in shown if example.inside) / len(shown)
    log_cover = math.log10(max(cover, 1e-4)) / 4
    return torch.tensor([*separations, log_cover, min(len(shown), 5) / 5])


def _auroc(scores: Tensor, inside: Tensor) -> float:
    count_in, count_out = int(inside.sum()), int((~inside).sum())
    if not count_in or not count_out:
        return 0.5
    ranks = scores.argsort().argsort().float() + 1
    return float((ranks[inside].sum() - count_in * (count_in + 1) / 2) / (count_in * count_out))


class Fused(NamedTuple):
    """What the network says of a batch.

    Attributes:
        prior: (B, GRID, GRID) logits that a cell is the object.
        presence: (B,) logits that the object is in the picture.
    """

    prior: Tensor
    presence: Tensor


class FusionNet(nn.Module):
    """Evidence (batched) to the prior and the presence of the object."""

    def __init__(self) -> None:
        super().__init__()
        reduced = (16, 32, 48)
        widths = (32, 48, 64)
        self.reduce = nn.ModuleList(nn.Conv2d(c, r, 1) for c, r in zip(TRUNK_CHANNELS, reduced, strict=True))
        steps = []
        above = 0
        for index in (2, 1, 0):
            inner = CHANNELS_A_LEVEL + 1 + reduced[index] + FACTS + above
            steps.append(_two_convolutions(inner, widths[index]))
            above = widths[index]
        self.steps = nn.ModuleList(steps)
        self.context = nn.Linear(widths[2], widths[2])
        self.last = _two_convolutions(above + 1 + 3, 24)
        self.head = nn.Conv2d(24, 1, 1)
        self.presence = nn.Sequential(
            nn.Linear(2 * widths[2] + SUMMARY + FACTS, 48), nn.ReLU(), nn.Linear(48, 1)
        )

    def forward(
        self,
        similarity: Sequence[Tensor],
        trunk: Sequence[Tensor],
        appearance: Tensor,
        thumbnail: Tensor,
        facts: Tensor,
    ) -> Fused:
        """Fields of `Evidence`, each with a leading batch dimension."""
        x: Tensor | None = None
        pooled: list[Tensor] = []
        for step, index in zip(self.steps, (2, 1, 0), strict=True):
            size = similarity[index].shape[-2:]
            own = [
                similarity[index],
                F.adaptive_avg_pool2d(appearance, (size[0], size[1])) * 2 - 1,
                F.relu(self.reduce[index](trunk[index])),
                facts[:, :, None, None].expand(-1, -1, *size),
            ]
            if x is not None:
                own.append(F.interpolate(x, size=size, mode="bilinear", align_corners=False))
            x = step(torch.cat(own, dim=1))
            if index == 2:
                pooled = [x.mean(dim=(2, 3)), x.amax(dim=(2, 3))]
                x = x + self.context(pooled[0])[:, :, None, None]
        assert x is not None
        fine = F.interpolate(x, size=appearance.shape[-2:], mode="bilinear", align_corners=False)
        fused: Tensor = self.last(torch.cat([fine, appearance * 2 - 1, thumbnail * 2 - 1], dim=1))
        prior: Tensor = self.head(fused)[:, 0]
        pooled += [_summary(prior, similarity, appearance), facts]
        return Fused(prior, self.presence(torch.cat(pooled, dim=1))[:, 0])

    @torch.inference_mode()
    def judge(self, evidence: Evidence) -> Fused:
        """(1, GRID, GRID) and (1,) probabilities for one picture."""
        fused: Fused = self(
            [level[None] for level in evidence.similarity],
            [level[None] for level in evidence.trunk],
            evidence.appearance[None],
            evidence.thumbnail[None],
            evidence.facts[None],
        )
        return Fused(fused.prior.sigmoid(), fused.presence.sigmoid())


def _summary(prior: Tensor, similarity: Sequence[Tensor], appearance: Tensor) -> Tensor:
    """(B, SUMMARY) how high the prior and each kind of evidence rise, and how they are on average.

    Of the prior: its highest cell, a small object's worth of cells, a large one's.
    """
    ranked = prior.flatten(1).topk(256, dim=1).values
    peaks = torch.stack([ranked[:, 0], ranked[:, :32].mean(1), ranked.mean(1)], dim=1) / 4
    maps = [*similarity, appearance]
    return torch.cat([peaks, *(m.amax((2, 3)) for m in maps), *(m.mean((2, 3)) for m in maps)], dim=1)


def _two_convolutions(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1),
        nn.GroupNorm(8, outer),
        nn.ReLU(),
        nn.Conv2d(outer, outer, 3, padding=1),
        nn.GroupNorm(8, outer),
        nn.ReLU(),
    )
