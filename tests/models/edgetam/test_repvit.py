"""EdgeTAM's trunk against a plain RepViT with branches and normalisations, under the published names."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import EdgeTamVideoConfig, EdgeTamVideoModel

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.edgetam.checkpoint import TIMM_TRUNK, TRUNK, fold_trunk, with_own_trunk
from kiridashi.models.edgetam.repvit import RepVitTrunk, RepVitTrunkConfig, gate_width, register_repvit_trunk
from kiridashi.models.loading import load_model
from kiridashi.models.preprocess import to_input

SMALL = RepVitTrunkConfig(widths=(8, 16, 24, 40), depths=(1, 2, 3, 1))
SIDE = 128


class Normed(nn.Module):
    """Convolution `c` and normalisation `bn`."""

    def __init__(self, inner: int, outer: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outer)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(self.c(x))
        return y


class PlainMixer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Normed(width, 2 * width), Normed(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(F.gelu(self.conv1(x)))
        return x + y


class PlainToken(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv, self.conv1 = Normed(width, width, 3, groups=width), Normed(width, width, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x) + self.conv1(x)
        return y + x


class PlainGate(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(width, gate_width(width), 1), nn.Conv2d(gate_width(width), width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))))
        return x * y


class PlainBlock(nn.Module):
    def __init__(self, width: int, gated: bool) -> None:
        super().__init__()
        self.token_mixer, self.channel_mixer = PlainToken(width), PlainMixer(width)
        self.se = PlainGate(width) if gated else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.channel_mixer(self.se(self.token_mixer(x)))
        return y


class PlainDownsample(nn.Module):
    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.pre_block = PlainBlock(inner, gated=False)
        self.spatial_downsample = Normed(inner, inner, 3, 2, groups=inner)
        self.channel_downsample = Normed(inner, outer)
        self.ffn = PlainMixer(outer)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.ffn(self.channel_downsample(self.spatial_downsample(self.pre_block(x))))
        return y


class PlainStage(nn.Module):
    def __init__(self, inner: int, outer: int, depth: int, first: bool) -> None:
        super().__init__()
        self.downsample = nn.Identity() if first else PlainDownsample(inner, outer)
        self.blocks = nn.Sequential(*(PlainBlock(outer, gated=index % 2 == 0) for index in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.blocks(self.downsample(x))
        return y


class PlainStem(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Normed(3, width // 2, 3, 2), Normed(width // 2, width, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(F.gelu(self.conv1(x)))
        return y


class PlainRepVit(nn.Module):
    """RepViT as it is trained; `last_hidden_state` as `EdgeTamVisionModel` reads it."""

    def __init__(self, config: RepVitTrunkConfig) -> None:
        super().__init__()
        self.stem = PlainStem(config.widths[0])
        for index, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            inner = config.widths[max(index - 1, 0)]
            setattr(self, f"stages_{index}", PlainStage(inner, width, depth, first=index == 0))
        torch.manual_seed(3)
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    assert module.running_mean is not None
                    assert module.running_var is not None
                    module.weight.uniform_(0.5, 1.5)
                    module.bias.normal_(0, 0.2)
                    module.running_mean.normal_(0, 0.3)
                    module.running_var.uniform_(0.5, 2)
        self.eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        x, maps = self.stem(x), []
        for index in range(4):
            x = getattr(self, f"stages_{index}")(x)
            maps.append(x)
        return maps


@pytest.mark.parametrize("config", [SMALL, RepVitTrunkConfig()], ids=["small", "M1"])
def test_the_folded_trunk_equals_the_plain_network(config: RepVitTrunkConfig) -> None:
    plain = PlainRepVit(config)
    trunk = RepVitTrunk(config).eval()
    trunk.load_state_dict(fold_trunk(plain.state_dict(), config), strict=True)
    x = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        expected, maps = plain(x), trunk(x).last_hidden_state
    for stride, width, ours, theirs in zip((4, 8, 16, 32), config.widths, maps, expected, strict=True):
        assert ours.shape == (2, width, 64 // stride, 96 // stride)
        assert theirs.std() > 0.1
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=2e-5)


def test_the_published_sizes() -> None:
    """RepViT-M1: 4.7 million parameters without its head, gates of 16, 24, 48 and 96 channels."""
    trunk = RepVitTrunk(RepVitTrunkConfig())
    assert [gate_width(width) for width in trunk.config.widths] == [16, 24, 48, 96]
    assert sum(p.numel() for p in PlainRepVit(trunk.config).parameters()) == 4_713_712
    assert sum(p.numel() for p in trunk.parameters()) == 4_682_056


@pytest.mark.parametrize("size", [(33, 47), (32, 32)])
def test_odd_sizes_are_rounded_up(size: tuple[int, int]) -> None:
    maps = RepVitTrunk(SMALL).eval()(torch.randn(1, 3, *size)).last_hidden_state
    for stride, level in zip((4, 8, 16, 32), maps, strict=True):
        assert level.shape[-2:] == tuple(-(-extent // stride) for extent in size)


@pytest.mark.parametrize("lost", ["stem.conv2.bn.running_var", "stages_2.blocks.0.se.fc1.bias"])
def test_a_lost_weight_is_named(lost: str) -> None:
    state = PlainRepVit(SMALL).state_dict()
    del state[lost]
    with pytest.raises(InputError, match=rf"lack {TIMM_TRUNK}{lost}"):
        fold_trunk(state, SMALL)


def test_a_weight_too_many_is_named() -> None:
    state = PlainRepVit(SMALL).state_dict() | {"stages_3.blocks.9.se.fc1.bias": torch.zeros(1)}
    with pytest.raises(InputError, match=r"weights that RepViT-M1 lacks, the first is stages_3\.blocks\.9"):
        fold_trunk(state, SMALL)


def test_another_timm_trunk_is_refused() -> None:
    backbone = {"model_type": "timm_wrapper", "architecture": "resnet50.a1_in1k"}
    with pytest.raises(InputError, match=r"'resnet50\.a1_in1k' is not known here; of timm's trunks only rep"):
        with_own_trunk({"vision_config": {"backbone_config": backbone}}, {})


@pytest.mark.parametrize("config", [{}, {"vision_config": 3}, {"vision_config": {"backbone_config": None}}])
def test_other_checkpoints_stay_as_they_are(config: dict[str, Any]) -> None:
    state = {"a": torch.zeros(1)}
    assert with_own_trunk(config, state) == (config, state)


def tiny_edgetam_with_repvit() -> EdgeTamVideoModel:
    """EdgeTAM's own trunk on a narrow rest."""
    register_repvit_trunk()
    grid = SIDE // 16
    torch.manual_seed(0)
    return EdgeTamVideoModel(
        EdgeTamVideoConfig(
            vision_config={
                "model_type": "edgetam_vision_model",
                "backbone_config": RepVitTrunkConfig().to_dict(),
                "backbone_feature_sizes": [[4 * grid, 4 * grid], [2 * grid, 2 * grid], [grid, grid]],
                "fpn_hidden_size": 64,
            },
            prompt_encoder_config={"hidden_size": 64, "image_size": SIDE},
            mask_decoder_config={"hidden_size": 64, "mlp_dim": 128, "iou_head_hidden_dim": 64},
            image_size=SIDE,
            memory_attention_hidden_size=64,
            memory_attention_mlp_hidden_size=128,
            memory_attention_rope_feat_sizes=[grid, grid],
            memory_attention_rope_k_sizes=[4, 4],
            memory_encoder_hidden_size=64,
            mask_downsampler_embed_dim=64,
            memory_fuser_embed_dim=64,
            memory_fuser_intermediate_dim=128,
            perceiver_resampler_num_latents=16,
            perceiver_resampler_num_latents_2d=16,
            enable_temporal_pos_encoding_for_object_pointers=False,
            enable_occlusion_spatial_embedding=False,
        )
    ).eval()


@pytest.fixture(scope="module")
def hub_like(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PlainRepVit, EdgeTamVideoModel]:
    """A folder as the hub has it: a timm trunk named in the configuration and in the weights."""
    folder = tmp_path_factory.mktemp("edgetam")
    net, plain = tiny_edgetam_with_repvit(), PlainRepVit(RepVitTrunkConfig())
    state = {key: value for key, value in net.state_dict().items() if not key.startswith(TRUNK)}
    state |= {TIMM_TRUNK + key: value for key, value in plain.state_dict().items()}
    assert TIMM_TRUNK + "stem.conv1.bn.num_batches_tracked" in state
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = net.config.to_dict()
    config["vision_config"]["backbone_config"] = {
        "model_type": "timm_wrapper",
        "architecture": "repvit_m1.dist_in1k",
        "model_args": {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
        "num_classes": 1000,
        "do_pooling": True,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder, plain, net


def test_a_hub_checkpoint_loads_without_timm(
    hub_like: tuple[Path, PlainRepVit, EdgeTamVideoModel], make_clip: Callable[..., list[Picture]]
) -> None:
    folder, plain, original = hub_like
    model = load_model(str(folder))
    assert model.card.image_size == SIDE
    model.require("memory", "tracking")
    loaded = model.net.state_dict()
    for name, value in original.state_dict().items():
        if not name.startswith(TRUNK):
            assert torch.equal(loaded[name], value)

    picture = make_clip(1)[0]
    features = model.encode(picture)
    with torch.inference_mode():
        expected = plain(to_input(picture, model.card))
    for ours, theirs in zip(features.trunk, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=2e-5)
    decoded = model.decode(
        features, [Prompt(points=((64.0, 64.0, 1),)), Prompt(box=(10.0, 10.0, 90.0, 70.0))]
    )
    assert decoded.logits.shape == (2, 3, SIDE // 4, SIDE // 4)
    assert decoded.logits.isfinite().all()


def test_a_loaded_hub_checkpoint_saves_and_loads_in_our_form(
    hub_like: tuple[Path, PlainRepVit, EdgeTamVideoModel], tmp_path: Path
) -> None:
    first = load_model(str(hub_like[0])).net
    first.save_pretrained(tmp_path)
    again = load_model(str(tmp_path)).net
    assert first.state_dict().keys() == again.state_dict().keys()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())
