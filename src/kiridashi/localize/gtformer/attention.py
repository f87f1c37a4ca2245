"""Transformer blocks: ordinary ones, and those whose attention the global tokens gate (Pro2SAM, section 3.2).

For global token k, m_k = sigmoid(mean over heads of A[k, :]) with A = q k^T / sqrt(d), and m is the mean of
the four. A gated block takes softmax(A) * m, m broadcast over queries and heads and nothing normalised
again, times v. As m is a factor of each key, that is softmax(A) (m * v), which spares the attention matrix.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.localize.gtformer.global_tokens import GLOBALS

NORM_EPSILON = 1e-6


class Attention(nn.Module):
    """Multi-head self-attention, plain or gated.

    Args:
        width: D, a multiple of `heads`.
        heads: number of heads.
        temperature: factor before the sigmoid of the gates.
    """

    def __init__(self, width: int, heads: int, temperature: float = 1.0) -> None:
        super().__init__()
        self.heads, self.temperature = heads, temperature
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        query, key, value = self._parts(x)
        return self._joined(F.scaled_dot_product_attention(query, key, value))

    def gated(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gate the values by what the last four tokens of the sequence look at.

        Args:
            x: (B, T, D), the four global tokens last.

        Returns:
            (B, T, D) and the gates m_k (B, 4, T) in (0, 1), one row a global token.
        """
        query, key, value = self._parts(x)
        scale: float = (x.shape[-1] // self.heads) ** -0.5
        logits = (query[:, :, -GLOBALS:] @ key.transpose(-2, -1)).mul(scale).mean(dim=1)
        gates = (self.temperature * logits).sigmoid()
        gate = gates.mean(dim=1)[:, None, :, None]
        return self._joined(F.scaled_dot_product_attention(query, key, gate * value)), gates

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value, (B, heads, T, D / heads) each."""
        count, length, width = x.shape
        parts: Tensor = self.qkv(x).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        return query, key, value

    def _joined(self, heads: Tensor) -> Tensor:
        joined: Tensor = self.proj(heads.transpose(1, 2).flatten(2))
        return joined


class Block(nn.Module):
    """K = F + attention(LN F); F' = K + MLP(LN K).

    Args:
        width: D.
        heads: of the attention.
        mlp_ratio: hidden width in parts of D.
        drop_path: rate at which a picture skips either half in training.
        temperature: of the gates.
    """

    def __init__(
        self, width: int, heads: int, mlp_ratio: float, drop_path: float = 0.0, temperature: float = 1.0
    ) -> None:
        super().__init__()
        hidden = round(width * mlp_ratio)
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.attn = Attention(width, heads, temperature)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D), ordinary attention."""
        return self._finish(x, self.attn(self.norm1(x)))

    def global_aware(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, D) -> (B, T, D) with gated attention, and the gates (B, 4, T) in (0, 1)."""
        attended, gates = self.attn.gated(self.norm1(x))
        return self._finish(x, attended), gates

    def _finish(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + self._dropped(attended)
        return x + self._dropped(self.fc2(F.gelu(self.fc1(self.norm2(x)))))

    def _dropped(self, branch: Tensor) -> Tensor:
        """Stochastic depth: whole pictures are left out, the others scaled up."""
        if not self.training or not self.drop_path:
            return branch
        kept = 1 - self.drop_path
        chosen = torch.rand(len(branch), 1, 1, device=branch.device) < kept
        return branch * chosen / kept
