import torch
from training.image.losses import mask_loss, true_iou

TRUTH = torch.zeros(1, 16, 16)
TRUTH[0, 4:12, 4:12] = 1.0
ALL = torch.ones(1, 16, 16)


def logits(*masks: torch.Tensor) -> torch.Tensor:
    return torch.stack([mask * 20 - 10 for mask in masks])[None]


def test_the_right_answer_costs_next_to_nothing() -> None:
    right = TRUTH[0]
    cost = mask_loss(logits(right, right, right, right), torch.ones(1, 4), torch.tensor([10.0]), TRUTH, ALL)
    assert float(cost.total) < 1e-2
    assert cost.iou.tolist() == [[1.0, 1.0, 1.0, 1.0]]


def test_of_the_three_only_the_best_is_charged() -> None:
    right, wrong = TRUTH[0], 1 - TRUTH[0]
    three = logits(right, wrong, right, wrong).requires_grad_()
    cost = mask_loss(three, torch.ones(1, 4), torch.tensor([10.0]), TRUTH, ALL)
    assert cost.best.tolist() == [2]
    cost.total.backward()  # type: ignore[no-untyped-call]
    assert three.grad is not None
    assert (three.grad[0, 1] == 0).all()
    assert (three.grad[0, 3] == 0).all()
    assert (three.grad[0, 2] != 0).any()


def test_cells_that_nobody_knows_do_not_count() -> None:
    unknown = ALL.clone()
    unknown[0, :, 12:] = 0
    spilled = TRUTH[0].clone()
    spilled[:, 12:] = 1
    assert float(true_iou(logits(spilled), TRUTH[:, None], unknown[:, None])) == 1.0
    assert float(true_iou(logits(spilled), TRUTH[:, None], ALL[:, None])) < 0.6


def test_nothing_is_the_right_answer_where_nothing_is() -> None:
    empty = torch.zeros(1, 16, 16)
    nothing = logits(*[torch.zeros(16, 16)] * 4)
    cost = mask_loss(nothing, torch.full((1, 4), 0.3), torch.tensor([-10.0]), empty, ALL)
    assert not cost.present.any()
    assert float(cost.total) < 1e-2
    something = mask_loss(logits(*[TRUTH[0]] * 4), torch.full((1, 4), 0.3), torch.tensor([10.0]), empty, ALL)
    assert float(something.total) > 5
