"""Recalls an object by matching: places that look like the remembered object are drawn as a prior.

What takes the place of SAM 2's memory attention in a model too small to have learned one. Nothing here is
trained: each token of a frame takes the label of the remembered tokens that it resembles most, as in
label propagation (Jabri et al., "Space-Time Correspondence as a Contrastive Random Walk", 2020, arXiv
2006.14613, section 4.1; the read-out of Oh et al., "Video Object Segmentation using Space-Time Memory
Networks", 2019, arXiv 1904.00607). The decoder sharpens the result as it sharpens every prior.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.errors import UsageError
from kiridashi.models.promptable import Features, PromptableModel
from kiridashi.models.video.bank import ObjectBank
from kiridashi.models.video.estimate import Estimate, Recalled

LEAST_SHARE = 0.02
# Trunk maps compared: strides 16 and 32, the first already on the tokens' grid.
COARSE = slice(2, None)
# Recent frames remembered unless the options say otherwise: more did not help, and each costs a comparison.
RECENT = 2


@dataclass(frozen=True)
class MatchingOptions:
    """How remembered tokens vote on a token of a frame.

    `python -m training.video.following` compares values on held-out training clips.

    Attributes:
        nearest: remembered tokens that vote, the most alike, at least 1.
        temperature: of the softmax over their cosines, above 0; a lower one prefers the most alike more.
        gain: the vote's log odds are multiplied by it, above 0. With 2 a unanimous vote is as sure as the
            decoder's own masks.

    Raises:
        UsageError: a value is out of its range.
    """

    nearest: int = 16
    temperature: float = 0.05
    gain: float = 2.0

    def __post_init__(self) -> None:
        if self.nearest < 1 or not self.temperature > 0 or not self.gain > 0:
            raise UsageError(
                f"matching takes nearest from 1 on, temperature and gain above 0, got {self.nearest}, "
                f"{self.temperature} and {self.gain}"
            )


class MatchingMemory:
    """Writes and reads memories of looks: (L, D + 1) tokens, the last channel the object's share.

    Args:
        model: whose trunk's maps of stride 16 and coarser are compared.
        options: how the remembered tokens vote.

    Attributes:
        shape: (L, D + 1) of the spatial memory of one frame.
        pointer_width: C of an object pointer.
        keeps_absent: False: a frame without the object has nothing to say about its looks.
    """

    keeps_absent = False

    def __init__(self, model: PromptableModel, options: MatchingOptions | None = None) -> None:
        self._model, self._options = model, options or MatchingOptions()
        height, width = model.net.prompt_encoder.image_embedding_size
        self._grid = (height, width)
        self._side = model.net.prompt_encoder.mask_input_size
        self.shape = (height * width, sum(model.net.vision_encoder.backbone.channels[COARSE]) + 1)
        self.pointer_width: int = model.net.hidden_dim
        self._last: tuple[Features, Tensor] | None = None

    def write(self, features: Features, estimate: Estimate, prompted: bool) -> Tensor:  # noqa: ARG002
        """(N, L, D + 1) memories of N objects in a frame."""
        keys = self._keys(features).expand(len(estimate.logits), -1, -1)
        inside = estimate.logits.sigmoid()[:, None]
        shares = F.interpolate(inside, size=self._grid, mode="area").flatten(2).mT
        return torch.cat([keys, shares], dim=2)

    def read(self, features: Features, bank: ObjectBank, frame: int) -> Recalled:
        """The frame as a picture, and where it looks like one object's memory."""
        memory = torch.cat([tokens.float() for _, tokens in bank.spatial(frame)])
        options = self._options
        cosines = self._keys(features)[0] @ memory[:, :-1].T
        alike, rows = cosines.topk(min(options.nearest, len(memory)), dim=1)
        share = ((alike / options.temperature).softmax(dim=1) * memory[:, -1][rows]).sum(dim=1)
        odds = share.clamp(LEAST_SHARE, 1 - LEAST_SHARE).logit() * options.gain
        drawn = F.interpolate(odds.view(1, 1, *self._grid), size=self._side, mode="bilinear")
        return Recalled(self._model.image_embedding(features), drawn)

    def _keys(self, features: Features) -> Tensor:
        """(1, L, D) looks of a frame's tokens, of unit length; kept for the next object of the frame."""
        if self._last is None or self._last[0] is not features:
            self._last = features, describe(features, self._grid)
        return self._last[1]


def describe(features: Features, grid: tuple[int, int]) -> Tensor:
    """(1, L, D) unit vectors of a frame's tokens: the trunk's coarse maps, each with equal weight."""
    maps = [
        F.normalize(F.interpolate(level, size=grid, mode="bilinear", align_corners=False), dim=1)
        for level in features.trunk[COARSE]
    ]
    return F.normalize(torch.cat(maps, dim=1), dim=1).flatten(2).mT
