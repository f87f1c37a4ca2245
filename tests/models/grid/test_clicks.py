import numpy as np
import pytest
import torch

from kiridashi.core.prompt import Prompt
from kiridashi.models.grid.clicks import embed_clicks
from kiridashi.models.grid.points import grid_points
from kiridashi.models.promptable import PromptableModel

SIZE = (96, 160)
EDGES = np.array([[0.0, 0.0], [159.9, 0.2], [0.1, 95.9], [160.0, 96.0], [20.0, 12.0], [81.3, 47.9]])


@pytest.mark.parametrize("points", [grid_points(5, SIZE), EDGES], ids=["grid", "edges"])
@torch.inference_mode()
def test_shared_and_own_parts_make_the_embedding_of_a_click(
    tiny_drawing: PromptableModel, points: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> None:
    clicks = embed_clicks(tiny_drawing, points, SIZE)
    prompts = [Prompt(points=((x, y, 1),)) for x, y in points]
    sparse, dense = tiny_drawing.embed_prompts(SIZE, prompts)
    torch.testing.assert_close(clicks.sparse, sparse[:, 0])
    for click, expected in zip(clicks.changes, dense, strict=True):
        assert click is not None
        whole = clicks.dense[0].flatten(1).clone()
        click.add(whole, click.vectors)
        torch.testing.assert_close(whole.view_as(expected), expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_click_at_the_border_changes_fewer_tokens(tiny_drawing: PromptableModel) -> None:
    points = np.array([[1.0, 1.0], [80.0, 1.0], [80.0, 48.0]])
    changes = embed_clicks(tiny_drawing, points, SIZE).changes
    assert [change.vectors.shape[1] for change in changes if change is not None] == [4, 6, 9]


@torch.inference_mode()
def test_a_model_that_does_not_draw_changes_nothing(tiny_sam2: PromptableModel) -> None:
    clicks = embed_clicks(tiny_sam2, EDGES, SIZE)
    sparse, dense = tiny_sam2.embed_prompts(SIZE, [Prompt(points=((x, y, 1),)) for x, y in EDGES])
    assert clicks.changes == (None,) * len(EDGES)
    assert torch.equal(clicks.sparse, sparse[:, 0])
    assert torch.equal(clicks.dense, dense[:1])


@torch.inference_mode()
def test_a_normalised_change_is_that_of_the_layer_norm(tiny_drawing: PromptableModel) -> None:
    """Where the standard deviation is divided out, the norm of a sum is the sum of the norms."""
    (change,) = embed_clicks(tiny_drawing, EDGES[-1:], SIZE).changes
    assert change is not None
    gain = torch.linspace(0.5, 2, len(change.vectors))
    shared = torch.randn(len(gain), 9, generator=torch.Generator().manual_seed(0))
    both = shared + change.vectors
    spread = both.var(dim=0, correction=0).sqrt()
    expected = torch.nn.functional.layer_norm(both.T, (len(gain),), gain, eps=0).T
    own = change.normalised(gain).vectors / spread
    centred = gain[:, None] * (shared - shared.mean(dim=0)) / spread
    torch.testing.assert_close(centred + own, expected, atol=1e-4, rtol=1e-4)
