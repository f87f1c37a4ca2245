"""The SAM 2 mask decoder for many prompts on one picture: the same function, far fewer operations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.models.grid.folded_upscaler import FoldedUpscaler
from kiridashi.models.grid.shared_picture import Projection, SharedLayer, SharedPicture, share_picture
from kiridashi.models.grid.token_change import TokenChange

IOU_TOKEN = 1
FIRST_MASK_TOKEN = 2


@dataclass(frozen=True, eq=False)
class PromptedPicture:
    """The picture's tokens after some layers for one prompt: alpha * K + rows^T basis + beta.

    Attributes:
        alpha: (N,).
        rows: (R, N) scaled attention weights.
        basis: (R, C).
        makers: for each layer so far the (H, T, d + 1) value vectors with a 1 appended.
    """

    alpha: Tensor
    rows: Tensor
    basis: Tensor
    makers: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Attended:
    """B prompts after the two-way layers.

    Attributes:
        picture: shared part.
        queries: (B, T, C) tokens.
        codes: (B, T, C) what the tokens were at the start, added wherever they attend.
        prompted: the picture's tokens of each prompt.
        changes: of K for each prompt, None where there is none.
    """

    picture: SharedPicture
    queries: Tensor
    codes: Tensor
    prompted: tuple[PromptedPicture, ...]
    changes: tuple[TokenChange | None, ...]


class FoldedDecoder:
    """A mask decoder of the SAM 2 family (Ravi et al., 2024) that shares and folds what it can.

    Equal to the decoder it is made from up to rounding. See `shared_picture` for the algebra.
    Making one costs next to nothing, so make it anew where weights may have changed.

    Args:
        decoder: `Sam2VideoMaskDecoder` or its kin in transformers, in eval mode.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._transformer = decoder.transformer
        self._upscaler = FoldedUpscaler(decoder)
        fixed = (decoder.obj_score_token, decoder.iou_token, decoder.mask_tokens)
        self._fixed_tokens = torch.cat([embedding.weight for embedding in fixed])

    def share(self, embedding: Tensor, position: Tensor, levels: tuple[Tensor, Tensor]) -> SharedPicture:
        """Do once a picture what all prompts share; see `share_picture` for the arguments."""
        return share_picture(self._transformer, embedding, position, levels)

    def attend(
        self, picture: SharedPicture, sparse: Tensor, changes: Sequence[TokenChange | None] | None = None
    ) -> Attended:
        """Run the two-way layers.

        Args:
            picture: from `share`.
            sparse: (B, T', C) prompt tokens.
            changes: what each prompt adds to the embedding that was shared; default: nothing.
        """
        codes = torch.cat([self._fixed_tokens.expand(len(sparse), -1, -1), sparse], dim=1)
        changes = changes or [None] * len(sparse)
        prompted: Sequence[PromptedPicture | None] = [None] * len(sparse)
        queries = codes
        for layer, shared in zip(self._transformer.layers, picture.layers, strict=True):
            queries = layer.layer_norm1(_self_attention(layer, queries, codes))
            attention = layer.cross_attn_token_to_image
            read = _read(attention, shared.keys, shared.values, queries + codes, prompted, changes)
            queries = layer.layer_norm2(queries + read)
            queries = layer.layer_norm3(queries + layer.mlp(queries))
            prompted = _write(layer.cross_attn_image_to_token, shared, queries, codes, prompted, changes)
            changes = [change and change.normalised(shared.gain) for change in changes]
        known = tuple(one for one in prompted if one is not None)
        return Attended(picture, queries, codes, known, tuple(changes))

    def tokens(self, attended: Attended, first: int, last: int) -> Tensor:
        """(B, last - first, C) output tokens of a range, after the final attention."""
        queries, codes = attended.queries[:, first:last], attended.codes[:, first:last]
        picture, transformer = attended.picture, self._transformer
        final = transformer.final_attn_token_to_image
        prompted, changes = attended.prompted, attended.changes
        read = _read(final, picture.keys, picture.values, queries + codes, prompted, changes)
        output: Tensor = transformer.layer_norm_final_attn(queries + read)
        return output

    def predicted_iou(self, attended: Attended) -> Tensor:
        """(B, 4) predicted IoU of the single mask and of the three; no mask is made for it."""
        token = self.tokens(attended, IOU_TOKEN, IOU_TOKEN + 1)[:, 0]
        iou: Tensor = self._decoder.iou_prediction_head(token)
        return iou

    def mask_tokens(self, attended: Attended) -> Tensor:
        """(B, 4, C) mask tokens."""
        return self.tokens(attended, FIRST_MASK_TOKEN, FIRST_MASK_TOKEN + self._decoder.num_mask_tokens)

    def object_score(self, attended: Attended) -> Tensor:
        """(B,) logit that the object is there."""
        score: Tensor = self._decoder.pred_obj_score_head(self.tokens(attended, 0, 1)[:, 0])
        return score[:, 0]

    def logits(self, attended: Attended, prompt: int, masks: list[int], tokens: Tensor) -> Tensor:
        """(M, 4h, 4w) logits of some masks of one prompt.

        Args:
            attended: from `attend`.
            prompt: index in the batch.
            masks: which of the mask tokens, 0..3.
            tokens: (M, C) these tokens.
        """
        own, change = attended.prompted[prompt], attended.changes[prompt]
        return self._upscaler(attended.picture, own, change, masks, tokens)


def select(attended: Attended, prompts: list[int]) -> Attended:
    """Some prompts of a batch."""
    kept = tuple(attended.prompted[prompt] for prompt in prompts)
    changes = tuple(attended.changes[prompt] for prompt in prompts)
    return Attended(attended.picture, attended.queries[prompts], attended.codes[prompts], kept, changes)


def _self_attention(layer: Any, queries: Tensor, codes: Tensor) -> Tensor:
    attention = layer.self_attn
    asking = queries if layer.skip_first_layer_pe else queries + codes
    query, key = _heads(attention.q_proj(asking), attention), _heads(attention.k_proj(asking), attention)
    value = _heads(attention.v_proj(queries), attention)
    # Written out: the fused kernel is slow on so few tokens.
    weights = (query @ key.mT * attention.scaling).softmax(dim=-1)
    output: Tensor = attention.o_proj((weights @ value).transpose(1, 2).flatten(2))
    return output if layer.skip_first_layer_pe else queries + output


def _heads(tokens: Tensor, attention: Any) -> Tensor:
    """(B, T, H * d) to (B, H, T, d)."""
    batch, count, _ = tokens.shape
    return tokens.view(batch, count, attention.num_attention_heads, attention.head_dim).transpose(1, 2)


def _read(
    attention: Any,
    keys: Projection,
    values: Projection,
    query: Tensor,
    prompted: Sequence[PromptedPicture | None],
    changes: Sequence[TokenChange | None],
) -> Tensor:
    """(B, T, C): tokens attend to the picture."""
    vectors = _heads(attention.q_proj(query), attention) * attention.scaling
    found = [
        _attend_picture(values, _scores(keys, vector, picture, change).softmax(dim=-1), picture, change)
        for vector, picture, change in zip(vectors, prompted, changes, strict=True)
    ]
    output: Tensor = attention.o_proj(torch.stack(found).transpose(1, 2).flatten(2))
    return output


def _scores(
    projection: Projection, vectors: Tensor, picture: PromptedPicture | None, change: TokenChange | None
) -> Tensor:
    """(H, T, N) inner products of token vectors (H, T, d) with the projected picture."""
    scores = torch.bmm(vectors, projection.scaled)
    if change is not None:
        change.add(scores, vectors @ (projection.weight @ change.vectors))
    if picture is None:
        return scores
    scores *= picture.alpha
    folded = torch.bmm(vectors, projection.weight).flatten(0, 1) @ picture.basis.mT
    scores.flatten(0, 1).addmm_(folded, picture.rows)
    return scores.baddbmm_(vectors, projection.fixed)


def _attend_picture(
    values: Projection, weights: Tensor, picture: PromptedPicture | None, change: TokenChange | None
) -> Tensor:
    """(H, T, d) means of the projected picture under weights (H, T, N) that sum to 1."""
    if picture is None:
        mean = torch.bmm(weights, values.scaled.mT)
    else:
        low_rank = (weights.flatten(0, 1) @ picture.rows.mT) @ picture.basis
        mean = torch.bmm(low_rank.view(*weights.shape[:2], -1), values.weight.mT) + values.fixed.mT
        mean.baddbmm_(weights.mul_(picture.alpha), values.scaled.mT)
    if change is not None:
        mean.baddbmm_(change.take(weights), (values.weight @ change.vectors).mT)
    return mean


def _write(
    attention: Any,
    shared: SharedLayer,
    queries: Tensor,
    codes: Tensor,
    prompted: Sequence[PromptedPicture | None],
    changes: Sequence[TokenChange | None],
) -> list[PromptedPicture]:
    """The picture attends to the tokens; then layer norm."""
    keys = _heads(attention.k_proj(queries + codes), attention) * attention.scaling
    values = _heads(attention.v_proj(queries), attention)
    added = (values @ shared.out_weight + shared.out_bias).flatten(1, 2)
    makers = F.pad(values, (0, 1), value=1.0)
    written = []
    prompts = zip(keys, added, makers, prompted, changes, strict=True)
    for key, basis, maker, picture, change in prompts:
        rows = _scores(shared.queries, key, picture, change).softmax(dim=1).flatten(0, 1)
        if picture is None:
            grown = PromptedPicture(torch.ones(rows.shape[1]), rows, basis, (maker,))
        else:
            grown = PromptedPicture(
                picture.alpha,
                torch.cat([picture.rows, rows]),
                torch.cat([picture.basis, basis]),
                (*picture.makers, maker),
            )
        written.append(_normalise(shared, grown, change))
    return written


def _normalise(shared: SharedLayer, picture: PromptedPicture, change: TokenChange | None) -> PromptedPicture:
    """Layer norm in the low-rank form, in place on the rows."""
    basis = picture.basis - picture.basis.mean(dim=1, keepdim=True)
    energy = shared.energy * picture.alpha.square()
    if change is not None:
        own = change.vectors - change.vectors.mean(dim=0)
        grown = (2 * change.take(shared.centred) + own).mul_(own).sum(dim=0)
        change.add(energy, grown * change.take(picture.alpha).square())
        # Twice the inner products of `own` with all vectors of the basis.
        touched = 2 * (basis @ own)
    gram = basis @ basis.mT
    size = len(basis) // len(shared.cross)
    for block, (maker, cross) in enumerate(zip(picture.makers, shared.cross, strict=True)):
        start, stop = block * size, (block + 1) * size
        # The Gram matrix is symmetric: its upper blocks, doubled, stand for the lower ones too.
        upper = gram[start:stop, start:].clone()
        upper[:, size:] *= 2
        product = torch.bmm(maker, cross).flatten(0, 1)
        if change is not None:
            change.add(product, touched[start:stop])
        product.mul_(picture.alpha)
        product.addmm_(upper, picture.rows[start:])
        energy += product.mul_(picture.rows[start:stop]).sum(dim=0)
    scale = torch.rsqrt(energy / basis.shape[1] + shared.eps)
    rows = picture.rows.mul_(scale)
    return PromptedPicture(picture.alpha * scale, rows, basis * shared.gain, picture.makers)
