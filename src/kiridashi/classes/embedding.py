"""What an object looks like, as one vector: the trunk's maps pooled inside its mask.

The classifier of SAM-IF (section "classifier": a cosine head on the embedding of each predicted mask) needs
embeddings that tell classes apart, which its authors say those of SAM are not made for. Ours are therefore
the maps of a trunk that learned ImageNet's classes, averaged inside the mask.

Chosen on training data (objects of VOC photographs, nine classes; composed scenes of 40 stamps; class means
of five shots): stride 32 tells categories apart (0.73, against 0.53 for stride 16), stride 16 single things
(40 stamps from one shot: 0.97, against 0.89), and the two weighted as below do well at both (0.73 and 0.95).
A margin about the mask costs 8 points; the decoder's mask token (0.38 alone) and centring or whitening bring
nothing.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.classes.head import Head, load_head
from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.catalogue import DEFAULT_MODEL
from kiridashi.models.compact.trunk import CompactTrunk
from kiridashi.models.loading import load_model
from kiridashi.models.pooling import LEAST_WEIGHT
from kiridashi.models.promptable import PromptableModel

# Trunk maps that are pooled, by their place among strides 4, 8, 16 and 32, and the length of each one's part.
POOLED = ((2, 0.7), (3, 1.0))
# Part of the fingerprint: embeddings of different recipes must not be compared.
RECIPE = "pooled trunk 1"
# Written by `training.head.fit`.
SHIPPED_HEAD = Path(__file__).parent / "weights" / "head.safetensors"


class Embedder:
    """Turns masks of a picture into unit vectors.

    It always looks with the compact model's trunk, whatever model draws the masks, because only that trunk
    knows classes (docs/decisions/0001); a model that was tuned from the compact one keeps its own.

    Args:
        model: that draws the masks; used when its trunk is a compact one.
        head: maps (N, D) pooled vectors to (N, D'), for a head that base training has learned; None: they
            stay as they are; "shipped": the package's own where there is one for this eye, else None.

    Attributes:
        eye: the model that looks.
        head: in use, in eval mode; or None.

    Raises:
        InputError: the head was trained on what another eye sees.
    """

    def __init__(
        self, model: PromptableModel, head: nn.Module | Literal["shipped"] | None = "shipped"
    ) -> None:
        own = isinstance(model.net.vision_encoder.backbone, CompactTrunk)
        self.eye = model if own else load_model(DEFAULT_MODEL)
        if isinstance(head, str):
            head = self._shipped_head()
        elif isinstance(head, Head):
            head.check(self._digest(None), self._pooled_width)
        self.head = None if head is None else head.eval()

    @cached_property
    def width(self) -> int:
        """D, the length of an embedding."""
        if self.head is None:
            return self._pooled_width
        with torch.inference_mode():
            return int(self.head(torch.zeros(1, self._pooled_width)).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that embeddings depend on: equal ones make comparable embeddings.

        The recipe, the input settings, the trunk's weights and the head's; not the learned context, neck and
        decoder, so that a better decoder on the same trunk keeps a site's registry valid.
        """
        return self._digest(self.head)

    @property
    def model_name(self) -> str:
        """What a registry calls the model that looks; a folder by its whole path, to be found later."""
        card = self.eye.card
        folder = Path(card.place)
        return str(folder.absolute()) if card.kind == "folder" and folder.is_dir() else card.base_name

    @property
    def head_file(self) -> Path | None:
        """The file that the user's head was read from; None: no head, or the package's own."""
        file = self.head.file if isinstance(self.head, Head) else None
        return None if file == SHIPPED_HEAD else file

    def _shipped_head(self) -> Head | None:
        if not SHIPPED_HEAD.is_file():
            return None
        head = _read_head(SHIPPED_HEAD)
        fits = head.width == self._pooled_width and head.facts.eye == self._digest(None)
        return head if fits else None

    @property
    def _pooled_width(self) -> int:
        channels = self.eye.net.vision_encoder.backbone.channels
        return sum(int(channels[level]) for level, _ in POOLED)

    def _digest(self, head: nn.Module | None) -> str:
        """The fingerprint with a head; that of the eye itself with None."""
        card, trunk = self.eye.card, self.eye.net.vision_encoder.backbone
        parts = {f"trunk.{name}": tensor for name, tensor in trunk.state_dict().items()}
        weights = {name: tensor for name, tensor in parts.items() if not name.startswith("trunk.context.")}
        if head is not None:
            weights |= {f"head.{name}": tensor for name, tensor in head.state_dict().items()}
        facts = f"{RECIPE} {POOLED} {card.image_size} {card.mean} {card.std} {head}"
        digest = hashlib.sha256(facts.encode())
        for name, tensor in sorted(weights.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    @torch.no_grad()
    def embed(self, picture: Picture, masks: Sequence[Mask]) -> Tensor:
        """(N, D) float32 embeddings of unit length of N masks.

        The picture is encoded once (and not again if it was among the last ones).

        Args:
            picture: that the masks belong to.
            masks: N of them, none empty.

        Raises:
            SizeMismatchError: a mask of another size than the picture.
            InputError: an empty mask.
        """
        _check(picture, masks)
        if not masks:
            return torch.empty(0, self.width)
        trunk = self.eye.encode(picture).trunk
        finest = trunk[POOLED[0][0]]
        shares = torch.stack([cell_shares(mask, finest.shape[-2:]) for mask in masks])
        parts = [length * F.normalize(_pool(trunk[level][0], shares), dim=1) for level, length in POOLED]
        pooled = torch.cat(parts, dim=1)
        embedded: Tensor = pooled if self.head is None else self.head(pooled)
        return F.normalize(embedded, dim=1)

    def embed_sample(self, picture: Picture, mask: Mask) -> Tensor:
        """(D,) embedding of a sample, a picture with the mask of one object: a shot.

        One vector pooled in the given mask. SAM-IF's several points in the eroded mask, each decoded, make up
        for mask tokens that depend on the point; nothing here depends on one, and the mask of a sample is
        better than any that the decoder would draw (0.73 against 0.70 of training objects classified).

        Raises:
            SizeMismatchError: the mask has another size than the picture.
            InputError: the mask is empty.
        """
        return self.embed(picture, [mask])[0]


@lru_cache(maxsize=1)
def _read_head(path: Path) -> Head:
    return load_head(path)


def cell_shares(mask: Mask, grid: tuple[int, int] | torch.Size) -> Tensor:
    """(h, w) share of each cell of a grid over the picture that the mask covers, 0..1.

    Exact areas, whatever the sizes, and only the mask's box is touched: a small mask of a large picture costs
    little. A mask too small to cover a cell keeps its small shares: nothing vanishes.
    """
    rows, columns = mask.slices
    down = _overlaps(rows, mask.size[0], grid[0])
    across = _overlaps(columns, mask.size[1], grid[1])
    return torch.from_numpy(down @ mask.bitmap.astype(np.float32) @ across.T)


def _overlaps(pixels: slice, size: int, cells: int) -> NDArray[np.float32]:
    """(cells, n) share of each cell that each of n pixels fills, along one axis of `size` pixels."""
    edges = np.arange(cells + 1) * (size / cells)
    starts = np.arange(pixels.start, pixels.stop)
    lengths = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    shares: NDArray[np.float32] = (np.clip(lengths, 0, None) * (cells / size)).astype(np.float32)
    return shares


def _pool(features: Tensor, shares: Tensor) -> Tensor:
    """(N, C) means of a (C, h, w) map weighted with (N, H, W) shares, in one matrix product."""
    shares = F.interpolate(shares[:, None], size=features.shape[-2:], mode="area")[:, 0]
    weights = shares.flatten(1)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=LEAST_WEIGHT)
    return weights @ features.flatten(1).T


def _check(picture: Picture, masks: Sequence[Mask]) -> None:
    for index, mask in enumerate(masks):
        if mask.size != picture.size:
            raise SizeMismatchError(picture.size, mask.size, f"{picture.name}, mask {index + 1}")
        if mask.is_empty:
            raise InputError(
                f"{picture.name}: mask {index + 1} of {len(masks)} is empty, so there is no object to learn "
                "or to name; mark at least one pixel, or leave the sample out"
            )
