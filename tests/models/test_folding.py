import pytest
import torch
from torch import nn

from kiridashi.models.folding import as_entries, fold_branches, fold_norm


def lively_norm(channels: int, eps: float) -> nn.BatchNorm2d:
    """A normalisation whose statistics and parameters all matter."""
    norm = nn.BatchNorm2d(channels, eps=eps).eval()
    with torch.no_grad():
        for tensor in (norm.weight, norm.bias, norm.running_mean):
            assert tensor is not None
            tensor.normal_()
        assert norm.running_var is not None
        norm.running_var.uniform_(0.01, 2)
    return norm


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 6])
def test_a_folded_convolution_is_the_two_in_turn(bias: bool, groups: int) -> None:
    torch.manual_seed(0)
    net = nn.ModuleDict(
        {"conv": nn.Conv2d(6, 12, 3, groups=groups, bias=bias), "norm": lively_norm(12, 1e-3)}
    )
    x = torch.randn(2, 6, 9, 7)
    weight, shift = fold_norm(net.state_dict(), "conv", "norm", 1e-3)
    folded = nn.functional.conv2d(x.double(), weight, shift, groups=groups)
    torch.testing.assert_close(folded.float(), net["norm"](net["conv"](x)), atol=1e-5, rtol=1e-5)


def test_the_epsilon_counts() -> None:
    torch.manual_seed(0)
    net = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 1), "norm": lively_norm(4, 1e-3)})
    right, wrong = (fold_norm(net.state_dict(), "conv", "norm", eps)[0] for eps in (1e-3, 1e-1))
    assert not torch.allclose(right, wrong)


@pytest.mark.parametrize("kernel", [3, 5])
def test_merged_branches_are_their_sum(kernel: int) -> None:
    torch.manual_seed(0)
    deep = nn.Conv2d(8, 8, kernel, padding=kernel // 2, groups=8)
    point = nn.Conv2d(8, 8, 1, groups=8)
    x = torch.randn(1, 8, 11, 10)
    assert deep.bias is not None
    assert point.bias is not None
    before = deep.weight.clone()
    weight, bias = fold_branches(deep.weight, deep.bias, point.weight, point.bias)
    merged = nn.functional.conv2d(x, weight, bias, padding=kernel // 2, groups=8)
    torch.testing.assert_close(merged, deep(x) + point(x) + x, atol=1e-5, rtol=1e-5)
    assert torch.equal(deep.weight, before)


def test_entries_have_the_wished_type() -> None:
    entries = as_entries(
        "blocks.0", (torch.ones(2, 1, 1, 1).double(), torch.zeros(2).double()), torch.float16
    )
    assert {name: value.dtype for name, value in entries.items()} == {
        "blocks.0.weight": torch.float16,
        "blocks.0.bias": torch.float16,
    }
