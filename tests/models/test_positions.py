from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kiridashi.models.positions import MOST_SHAPES, KeptPositions, forget_positions, keep_positions
from kiridashi.models.promptable import PromptableModel


class Counting(nn.Module):
    """Counts its calls."""

    calls = 0

    def forward(self, shape: Any, device: Any, dtype: torch.dtype, mask: Tensor | None = None) -> Tensor:
        self.calls += 1
        return torch.arange(shape.numel(), dtype=dtype, device=device).reshape(shape)


def test_a_code_is_computed_once_for_each_shape() -> None:
    inner = Counting()
    kept = KeptPositions(inner)
    shapes = [torch.Size((1, 2, side, side)) for side in (2, 3)]
    for _ in range(3):
        for shape in shapes:
            assert torch.equal(kept(shape, "cpu", torch.float32), inner(shape, "cpu", torch.float32))
    assert inner.calls == 2 + 6
    kept(shapes[0], "cpu", torch.float64)
    kept(shapes[0], "cpu", torch.float32, torch.ones(1, 2, 2))
    kept(shapes[0], "cpu", torch.float32, torch.ones(1, 2, 2))
    assert inner.calls == 2 + 6 + 3


def test_what_is_kept_is_bounded() -> None:
    kept = KeptPositions(Counting())
    for side in range(1, 3 * MOST_SHAPES):
        kept(torch.Size((1, 1, side, side)), "cpu", torch.float32)
    assert len(kept._kept) == MOST_SHAPES


def test_a_code_kept_while_looking_serves_learning() -> None:
    kept = KeptPositions(Counting())
    with torch.inference_mode():
        kept(torch.Size((1, 1, 2, 2)), "cpu", torch.float32)
    weight = torch.ones(1, 1, 2, 2, requires_grad=True)
    (weight * kept(torch.Size((1, 1, 2, 2)), "cpu", torch.float32)).sum().backward()
    assert torch.equal(
        weight.grad if weight.grad is not None else torch.zeros(1), torch.arange(4.0).reshape(1, 1, 2, 2)
    )


@pytest.mark.parametrize("name", ["tiny_sam2", "tiny_compact", "tiny_edgetam"])
def test_models_of_the_family_keep_them_and_lose_nothing(
    name: str, request: pytest.FixtureRequest, make_clip: Any
) -> None:
    model: PromptableModel = request.getfixturevalue(name)
    names = set(model.net.state_dict())
    picture = make_clip(1)[0]
    keep_positions(model.net)
    first = PromptableModel(model.net, model.card).encode(picture)
    assert isinstance(model.net.vision_encoder.neck.position_encoding, KeptPositions)
    forget_positions(model.net)
    # Computed anew by the library.
    fpn = model.net.vision_encoder.neck.position_encoding
    level = first.levels[-1]
    assert torch.equal(first.position, fpn(level.shape, level.device, level.dtype))
    keep_positions(model.net)
    assert set(model.net.state_dict()) == names
