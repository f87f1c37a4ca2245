"""What one prompt adds to a few of the picture's tokens, beside what all prompts share."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class TokenChange:
    """A change of K, the shared part of the picture's tokens, within a window of tokens.

    A click drawn on the mask-prompt map changes the dense embedding of the tokens about it alone. Layer
    norm does to the change what it does to K, so it stays within its window through all layers.

    Attributes:
        vectors: (C, P) what is added to the P tokens of the window, row by row.
        rows: of the window.
        columns: of the window.
        grid: (h, w) of the picture's tokens.
    """

    vectors: Tensor
    rows: slice
    columns: slice
    grid: tuple[int, int]

    def take(self, values: Tensor) -> Tensor:
        """(..., P) values of the window's tokens out of (..., N) contiguous ones."""
        return self._window(values).flatten(-2)

    def add(self, values: Tensor, own: Tensor) -> None:
        """Add (..., P) to the window's tokens of (..., N) contiguous values, in place."""
        window = self._window(values)
        window += own.view(window.shape)

    def normalised(self, gain: Tensor) -> "TokenChange":
        """The change after a layer norm of gain (C,), whose division alpha keeps."""
        centred = self.vectors - self.vectors.mean(dim=0)
        return TokenChange(gain[:, None] * centred, self.rows, self.columns, self.grid)

    def _window(self, values: Tensor) -> Tensor:
        return values.view(*values.shape[:-1], *self.grid)[..., self.rows, self.columns]
