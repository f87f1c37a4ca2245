"""The mask decoder's upscaling on the low-rank form, for chosen masks only."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from kiridashi.models.grid.folded_decoder import PromptedPicture
    from kiridashi.models.grid.shared_picture import SharedPicture
    from kiridashi.models.grid.token_change import TokenChange


class FoldedUpscaler:
    """Two transposed convolutions of kernel and stride 2 are four small matrix products a pixel.

    The first is folded into the low-rank form: K goes through it once a picture. Sub-pixels stay
    apart until the masks are there, so nothing wide is ever shuffled.

    Args:
        decoder: the mask decoder.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        first, norm = decoder.upscale_conv1, decoder.upscale_layer_norm
        # (C, C/4, 2, 2) to (4, C/4, C). The norm's centring over the C/4 channels is linear: done here.
        weight = first.weight.permute(2, 3, 1, 0).flatten(0, 1)
        self._first = weight - weight.mean(dim=1, keepdim=True)
        self._first_bias = (first.bias - first.bias.mean())[None, :, None]
        self._norm = norm.weight[:, None], norm.bias[:, None], norm.eps
        second = decoder.upscale_conv2
        self._second = second.weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()
        self._second_bias = second.bias[None, :, None]
        self._prepared: tuple[SharedPicture, Tensor, Tensor, Tensor] | None = None

    def __call__(
        self,
        shared: "SharedPicture",
        picture: "PromptedPicture",
        change: "TokenChange | None",
        masks: list[int],
        tokens: Tensor,
    ) -> Tensor:
        """(M, 4h, 4w) logits; see `FoldedDecoder.logits`."""
        scaled, fixed, fine = self._prepare(shared)
        heads = self._decoder.output_hypernetworks_mlps
        vectors = torch.stack([heads[mask](token) for mask, token in zip(masks, tokens, strict=True)])
        folded = self._first @ picture.basis.mT
        gain, bias, eps = self._norm
        quarters = []
        for part in range(4):
            wide = torch.addcmul(fixed[part], scaled[part], picture.alpha).addmm_(folded[part], picture.rows)
            if change is not None:
                change.add(wide, self._first[part] @ (change.vectors * change.take(picture.alpha)))
            wide *= torch.rsqrt(wide.square().mean(dim=0) + eps)
            wide = F.gelu(torch.addcmul(bias, wide, gain))
            narrow = F.gelu(torch.addmm(fine[part], self._second, wide))
            quarters.append(vectors @ narrow.view(4, -1, narrow.shape[1]))
        return _assemble(torch.stack(quarters), shared.grid)

    def _prepare(self, shared: "SharedPicture") -> tuple[Tensor, Tensor, Tensor]:
        """The picture's part of both layers, kept for the picture in hand."""
        if self._prepared is None or self._prepared[0] is not shared:
            fine, middle = shared.levels
            fixed = _split(middle[None])[:, 0]
            fixed = fixed - fixed.mean(dim=1, keepdim=True) + self._first_bias
            fixed = fixed + (self._first @ shared.beta)[:, :, None]
            height, width = shared.grid
            inner = _split(fine[None] + self._second_bias[..., None])[:, 0]
            inner = inner.view(4, -1, 2 * height, 2 * width)
            quarters = _split(inner).flatten(1, 2)
            self._prepared = shared, self._first @ shared.tokens, fixed, quarters
        return self._prepared[1:]


def _split(level: Tensor) -> Tensor:
    """(B, c, 2h, 2w) to (4, B, c, h * w): the four sub-pixels apart."""
    batch, channels, height, width = level.shape
    parts = level.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return parts.permute(3, 5, 0, 1, 2, 4).reshape(4, batch, channels, -1)


def _assemble(parts: Tensor, grid: tuple[int, int]) -> Tensor:
    """(4, 4, M, h * w), outer and inner sub-pixels apart, to (M, 4h, 4w)."""
    height, width = grid
    split = parts.reshape(2, 2, 2, 2, -1, height, width)
    return split.permute(4, 5, 0, 2, 6, 1, 3).reshape(-1, 4 * height, 4 * width)
