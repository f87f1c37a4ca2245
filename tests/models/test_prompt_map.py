import pytest
import torch
from torch import Tensor

from kiridashi.models.prompt_map import BOX_LOGIT, CLICK_LOGIT, CLICK_RADIUS, STRIDE, draw_prompts
from kiridashi.models.promptable import PromptableModel

SIDE = 32
# The centre of the cell in column 12 and row 20.
CELL = 12, 20
CENTRE = (CELL[0] + 0.5) * STRIDE, (CELL[1] + 0.5) * STRIDE
TOKEN = 16


def draw(*clicks: tuple[float, float, int], base: Tensor | None = None) -> Tensor:
    points = torch.tensor([[[x, y] for x, y, _ in clicks]])
    labels = torch.tensor([[label for *_, label in clicks]])
    return draw_prompts(base, points, labels, None, SIDE)


@pytest.mark.parametrize(("label", "logit"), [(1, CLICK_LOGIT), (0, -CLICK_LOGIT)])
def test_a_click_reaches_its_value_at_its_centre_and_fades(label: int, logit: float) -> None:
    drawn = draw((*CENTRE, label))
    assert drawn.shape == (1, 1, SIDE, SIDE)
    assert drawn.dtype == torch.float32
    along = drawn[0, 0, CELL[1], CELL[0] : CELL[0] + 6] / logit
    assert along[0] == 1
    assert (along[:4].diff() < 0).all()
    assert (along[int(CLICK_RADIUS) :] == 0).all()
    assert (drawn * logit >= 0).all()
    torch.testing.assert_close(drawn, draw((*CENTRE, 1)) * (1 if label else -1))


def test_a_click_is_round_and_stays_within_its_radius() -> None:
    x, y = 37.3, 70.9
    drawn = draw((x, y, 1))[0, 0]
    centres = (torch.arange(SIDE) + 0.5) * STRIDE
    distance = ((centres - x)[None].square() + (centres - y)[:, None].square()).sqrt()
    near = distance < STRIDE * CLICK_RADIUS
    assert torch.equal(drawn > 0, near)
    order = distance[near].argsort()
    assert (drawn[near][order].diff() <= 1e-5).all()


def test_the_last_click_wins() -> None:
    outside_last = draw((*CENTRE, 1), (*CENTRE, 0))[0, 0]
    inside_last = draw((*CENTRE, 0), (*CENTRE, 1))[0, 0]
    column, row = CELL
    assert outside_last[row, column] == -CLICK_LOGIT
    assert inside_last[row, column] == CLICK_LOGIT


def test_far_clicks_do_not_touch() -> None:
    one, other = (20.0, 20.0, 1), (100.0, 90.0, 0)
    torch.testing.assert_close(draw(one, other), draw(one) + draw(other))


@pytest.mark.parametrize("label", [-1, -10, 2, 3])
def test_padding_leaves_no_mark(label: int) -> None:
    assert torch.equal(draw((*CENTRE, 1), (60.0, 70.0, label)), draw((*CENTRE, 1)))
    assert not draw((*CENTRE, label)).any()


def test_a_box_fills_the_cells_whose_centres_it_holds() -> None:
    boxes = torch.tensor([[8.0, 16.0, 40.0, 23.9], [9.9, 17.9, 10.1, 18.1], [-5.0, -5.0, 300.0, 300.0]])
    drawn = draw_prompts(None, None, None, boxes, SIDE)[:, 0]
    expected = torch.full((3, SIDE, SIDE), -BOX_LOGIT)
    expected[0, 4:6, 2:10] = BOX_LOGIT
    expected[1, 4, 2] = BOX_LOGIT
    expected[2] = BOX_LOGIT
    assert torch.equal(drawn, expected)


def test_a_click_is_pressed_into_a_box() -> None:
    box = torch.tensor([[8.0, 8.0, 120.0, 120.0]])
    drawn = draw_prompts(None, torch.tensor([[CENTRE]]), torch.tensor([[0]]), box, SIDE)[0, 0]
    column, row = CELL
    assert drawn[row, column] == -CLICK_LOGIT
    assert drawn[row, column + 6] == BOX_LOGIT
    assert drawn[0, 0] == -BOX_LOGIT


def test_clicks_are_drawn_over_a_base_and_a_box_is_not() -> None:
    base = torch.linspace(-20, 20, SIDE * SIDE).view(1, 1, SIDE, SIDE)
    before = base.clone()
    box = torch.tensor([[8.0, 8.0, 90.0, 90.0]])
    assert torch.equal(draw_prompts(base, None, None, box, SIDE), base)
    drawn = draw((*CENTRE, 1), base=base)
    column, row = CELL
    torch.testing.assert_close(drawn[0, 0, row, column], torch.tensor(CLICK_LOGIT))
    blank = draw((*CENTRE, 1)) == 0
    assert torch.equal(drawn[blank], base[blank])
    assert torch.equal(base, before)


def test_objects_are_drawn_apart() -> None:
    points = torch.tensor([[[20.0, 30.0]], [[90.0, 64.0]]])
    labels = torch.tensor([[1], [0]])
    together = draw_prompts(None, points, labels, None, SIDE)
    alone = torch.cat([draw_prompts(None, points[i : i + 1], labels[i : i + 1], None, SIDE) for i in (0, 1)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("place", [(64.0, 64.0), (79.99, 65.0), (70.1, 72.7), (3.0, 127.0), (48.0, 0.0)])
def test_a_click_changes_at_most_the_tokens_about_its_own(
    tiny_drawing: PromptableModel, place: tuple[float, float]
) -> None:
    """On a base of zeros and on one of noise: what is far from a click does not know of it."""
    embed = tiny_drawing.net.prompt_encoder.mask_embed
    noise = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    column, row = (int(value // TOKEN) for value in place)
    near = torch.zeros(SIDE // 4, SIDE // 4, dtype=torch.bool)
    near[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
    with torch.inference_mode():
        for base in (torch.zeros_like(noise), noise):
            change = (embed(draw((*place, 1), base=base)) - embed(base)).abs().amax(dim=1)[0]
            assert change[~near].max() < 1e-5
            assert change[row, column] > 0.01
