from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file, save_file
from training.network import is_trunk, make_network
from training.ship import main, shipped_bytes

from kiridashi.core.errors import InputError
from kiridashi.models.catalogue import find_card
from kiridashi.models.compact.architecture import compact_config
from kiridashi.models.fetching import shipped_file


def test_the_shipped_file_holds_the_whole_network_in_half_precision() -> None:
    from transformers import Sam2VideoModel

    state = load_file(shipped_file(find_card("compact")))
    expected = Sam2VideoModel(compact_config()).state_dict()
    assert {name: value.shape for name, value in expected.items()} == {
        name: value.shape for name, value in state.items()
    }
    assert {value.dtype for value in state.values()} == {torch.float16}
    assert all(value.isfinite().all() for value in state.values())


def test_clicks_and_picture_tokens_share_one_position_code() -> None:
    state = load_file(shipped_file(find_card("compact")))
    codes = [value for name, value in state.items() if name.endswith("positional_embedding")]
    assert len(codes) == 2
    assert torch.equal(codes[0], codes[1])


def test_a_changed_trunk_is_refused(tmp_path: Path) -> None:
    state = make_network(None, 0).state_dict()
    trunk = {name: value for name, value in state.items() if is_trunk(name)}
    content = shipped_bytes(state, trunk)
    assert load(content).keys() == state.keys()
    state["vision_encoder.backbone.stem.bias"] = state["vision_encoder.backbone.stem.bias"] + 1
    with pytest.raises(InputError, match="the trunk changed"):
        shipped_bytes(state, trunk)


def test_weights_beyond_half_precision_are_refused() -> None:
    with pytest.raises(InputError, match="not finite"):
        shipped_bytes({"neck": torch.tensor([1e9])}, {})


def test_shipping_again_gives_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, one, two = (
        tmp_path / name for name in ("run.safetensors", "one.safetensors", "two.safetensors")
    )
    save_file(make_network(None, 3).state_dict(), weights)
    main([str(weights), "--out", str(one)])
    main([str(weights), "--out", str(two)])
    assert one.read_bytes() == two.read_bytes()
    assert "sha256" in capsys.readouterr().out
