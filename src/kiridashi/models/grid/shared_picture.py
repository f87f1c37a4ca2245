"""What the folded decoder computes once a picture and shares among all its prompts.

The two-way transformer changes the picture's tokens by attention over a few prompt tokens, so
after any layer they are a shared part plus a low-rank part of the prompt's own:

    x = alpha * K + rows^T V + beta

with K (C, N) the same for all prompts, alpha (N,) one factor a picture token, rows (R, N) attention
weights, V (R, C) a handful of vectors, and beta (C,) a layer's bias. Layer norm keeps this form:
centring and the gain act on K and V, the division by the standard deviation on alpha and rows.
So every projection of K is made once here, and a prompt never projects N tokens of width C. Where
prompts are drawn on the mask-prompt map, each changes K at a few tokens, see `token_change`.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Projection:
    """One linear layer of an attention, applied to the picture's tokens, heads apart.

    Attributes:
        scaled: (H, d, N) projection of K, to be multiplied by alpha.
        fixed: (H, d, N) or (H, d, 1) projection of what is added to alpha * K: bias, beta and, for
            keys and queries, the position code; unused where `scaled` holds it already.
        weight: (H, d, C) of the linear layer.
    """

    scaled: Tensor
    fixed: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class SharedLayer:
    """The shared part of one two-way layer.

    Attributes:
        keys: of the tokens-to-picture attention.
        values: of the same.
        queries: of the picture-to-tokens attention.
        out_weight: (H, d, C) of that attention's output.
        out_bias: (C,) a head's share of the output's bias and of beta: weights of a head sum to 1.
        centred: (C, N) K, each token less its mean.
        energy: (N,) squared norm of that.
        cross: for each block of rows up to this layer, (H, d + 1, N): twice the inner product of
            the centred K with what makes the block's vectors (d directions and a constant).
        gain: (C,) of the layer norm that ends the layer.
        eps: of the same.
    """

    keys: Projection
    values: Projection
    queries: Projection
    out_weight: Tensor
    out_bias: Tensor
    centred: Tensor
    energy: Tensor
    cross: tuple[Tensor, ...]
    gain: Tensor
    eps: float


@dataclass(frozen=True, eq=False)
class SharedPicture:
    """Everything that does not depend on the prompt.

    Attributes:
        layers: of the two-way transformer.
        keys: of the final tokens-to-picture attention.
        values: of the same.
        tokens: (C, N) K after the last layer.
        beta: (C,) after the last layer.
        levels: fine and middle neck maps, (C/8, 4h, 4w) and (C/4, 2h, 2w).
        grid: (h, w) of the picture's tokens, h * w = N.
    """

    layers: tuple[SharedLayer, ...]
    keys: Projection
    values: Projection
    tokens: Tensor
    beta: Tensor
    levels: tuple[Tensor, Tensor]
    grid: tuple[int, int]


def share_picture(
    transformer: Any, embedding: Tensor, position: Tensor, levels: tuple[Tensor, Tensor]
) -> SharedPicture:
    """Project a picture for all prompts.

    Args:
        transformer: the mask decoder's two-way transformer.
        embedding: (1, C, h, w) picture tokens, the dense prompt embedding added.
        position: (1, C, h, w) position code of the picture's tokens.
        levels: fine and middle neck maps, (1, C/8, 4h, 4w) and (1, C/4, 2h, 2w).
    """
    tokens, place = embedding[0].flatten(1), position[0].flatten(1)
    beta = torch.zeros(tokens.shape[0])
    makers: list[Tensor] = []
    layers = []
    for number, layer in enumerate(transformer.layers):
        read, write, norm = (
            layer.cross_attn_token_to_image,
            layer.cross_attn_image_to_token,
            layer.layer_norm4,
        )
        merged = number == 0
        keys = _project(read.k_proj, tokens, place + beta[:, None], read, merged)
        values = _project(read.v_proj, tokens, beta[:, None], read, merged)
        queries = _project(write.q_proj, tokens, place + beta[:, None], write, merged)
        out_bias = (write.o_proj.bias + beta) / write.num_attention_heads
        makers.append(_maker(write, out_bias))
        centred = tokens - tokens.mean(dim=0)
        makers = [maker - maker.mean(dim=2, keepdim=True) for maker in makers]
        cross = tuple(2 * (maker @ centred) for maker in makers)
        layers.append(
            SharedLayer(
                keys=keys,
                values=values,
                queries=queries,
                out_weight=_by_head(write.o_proj.weight.mT, write),
                out_bias=out_bias,
                centred=centred,
                energy=centred.square().sum(dim=0),
                cross=cross,
                gain=norm.weight,
                eps=norm.eps,
            )
        )
        tokens, beta = norm.weight[:, None] * centred, norm.bias
        makers = [maker * norm.weight for maker in makers]
    final = transformer.final_attn_token_to_image
    return SharedPicture(
        layers=tuple(layers),
        keys=_project(final.k_proj, tokens, place + beta[:, None], final, merge=False),
        values=_project(final.v_proj, tokens, beta[:, None], final, merge=False),
        tokens=tokens,
        beta=beta,
        levels=(levels[0][0], levels[1][0]),
        grid=(embedding.shape[2], embedding.shape[3]),
    )


def _project(linear: Any, tokens: Tensor, added: Tensor, attention: Any, merge: bool) -> Projection:
    """Keys, values or queries; `merge` before the first layer, where alpha is 1."""
    weight = _by_head(linear.weight, attention)
    bias = linear.bias.view(*weight.shape[:2], 1)
    if merge:
        return Projection(weight @ (tokens + added) + bias, torch.zeros_like(bias), weight)
    return Projection(weight @ tokens, weight @ added + bias, weight)


def _by_head(weight: Tensor, attention: Any) -> Tensor:
    return weight.reshape(attention.num_attention_heads, attention.head_dim, -1)


def _maker(attention: Any, out_bias: Tensor) -> Tensor:
    """(H, d + 1, C): a value vector with a 1 appended, times this, is the vector it adds to the picture."""
    weight = _by_head(attention.o_proj.weight.mT, attention)
    constant = out_bias.expand(weight.shape[0], 1, -1)
    return torch.cat([weight, constant], dim=1)
