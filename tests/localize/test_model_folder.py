import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from kiridashi.core.errors import InputError, UsageError
from kiridashi.localize.gtformer.compact import FrozenTrunk
from kiridashi.localize.gtformer.options import GTFormerOptions
from kiridashi.localize.model_folder import CARD, WEIGHTS, load, load_network, save_model
from kiridashi.localize.trained import Facts, TrainedNetwork
from kiridashi.localize.training.options import TrainingOptions
from kiridashi.models.promptable import PromptableModel

NETWORK = GTFormerOptions(strides=(16, 32), grid=4, width=16, depth=2, global_aware=1, heads=2)


@pytest.fixture
def network(tiny_compact: PromptableModel) -> TrainedNetwork:
    fingerprint = FrozenTrunk(tiny_compact, (16, 32), 4).fingerprint
    facts = Facts(
        classes=("crack", "stain"),
        single=False,
        options=TrainingOptions(network=NETWORK, area=0.2),
        channels=432,
        model="tiny-compact",
        fingerprint=fingerprint,
        normal=("OK", "良品"),
        pictures={"all": 12, "normal": 4, "held aside": 2, "of crack": 5, "of stain": 4},
        epochs=7,
        best={"gtformer": 5, "cam": 7, "grad_cam": 6},
        validation={"gtformer": {"label loss": 0.25, "accuracy": 0.75}},
        score_thresholds={"crack": 0.4, "stain": 0.5},
        map_threshold=0.3,
        notes={"source": "labels.csv"},
    )
    torch.manual_seed(0)
    return TrainedNetwork(facts).eval()


def test_a_saved_network_comes_back(
    network: TrainedNetwork, tiny_compact: PromptableModel, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "model"
    save_model(network, folder)
    assert sorted(path.name for path in folder.iterdir()) == [CARD, WEIGHTS]
    state = torch.get_rng_state()
    loaded = load_network(folder)
    assert torch.equal(torch.get_rng_state(), state)
    assert loaded.facts == network.facts
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    save_model(loaded, tmp_path / "again")
    for name in (CARD, WEIGHTS):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert load(folder, tiny_compact).classes == ("crack", "stain")


def test_another_encoder_or_none_is_refused(
    network: TrainedNetwork, make_compact: Callable[..., PromptableModel], tmp_path: Path
) -> None:
    save_model(network, tmp_path)
    with pytest.raises(UsageError, match=r"trained on what tiny-compact saw then.*run localize fit again"):
        load(tmp_path, make_compact(seed=3))
    with pytest.raises(UsageError, match="looks through the trunk of tiny-compact; give that model"):
        load(tmp_path, None)


def test_what_is_no_model_folder_is_told(network: TrainedNetwork, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no card.json here; expected a folder that localize fit"):
        load_network(tmp_path)
    with pytest.raises(
        InputError, match=r"gone: there is no such folder; expected a folder that localize fit"
    ):
        load_network(tmp_path / "gone")
    save_model(network, tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"weights.safetensors: there is no such file"):
        load_network(tmp_path)


def change(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda card: card.update(fields)


def network_option(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def apply(card: dict[str, Any]) -> None:
        card["options"]["network"][name] = value

    return apply


@pytest.mark.parametrize(
    "damage",
    [
        change(format="kiridashi-localiser-0"),
        change(classes="crack"),
        change(classes=[]),
        change(classes=["crack", 3]),
        change(classes=["c" * 1000, "stain"]),
        change(classes=[str(number) for number in range(100_000)]),
        change(thresholds={"map": 2.0, "scores": {"crack": 0.5, "stain": 0.5}}),
        change(thresholds={"map": 0.5, "scores": {"crack": 0.5}}),
        change(model={"name": "m", "encoder_sha256": "", "channels": 10**9}),
        change(trained_on=[1]),
        network_option("width", 10**6),
        network_option("depth", 10**6),
        network_option("unheard", 1),
        network_option("strides", None),
        network_option("width", "wide"),
        network_option("mlp_ratio", "2"),
        network_option("heads", 0),
    ],
)
def test_a_card_that_cannot_be_believed_is_refused(
    network: TrainedNetwork, tmp_path: Path, damage: Callable[[dict[str, Any]], None]
) -> None:
    save_model(network, tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    damage(card)
    (tmp_path / CARD).write_text(json.dumps(card))
    with pytest.raises(InputError, match=r"card.json: damaged, or not the card.*run localize fit again"):
        load_network(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000, '{"format": 1}'])
def test_a_card_that_is_no_card_is_refused(network: TrainedNetwork, tmp_path: Path, text: str) -> None:
    save_model(network, tmp_path)
    (tmp_path / CARD).write_text(text)
    with pytest.raises(InputError, match=r"card.json"):
        load_network(tmp_path)


def test_huge_files_are_not_read(network: TrainedNetwork, tmp_path: Path) -> None:
    save_model(network, tmp_path)
    with (tmp_path / WEIGHTS).open("r+b") as file:
        file.truncate(1 << 33)
    with pytest.raises(InputError, match=r"weights.safetensors: 8192 MiB is more than the limit"):
        load_network(tmp_path)
    with (tmp_path / CARD).open("r+b") as file:
        file.truncate(1 << 33)
    with pytest.raises(InputError, match=r"card.json: 8192 MiB is more than the limit of 4 MiB"):
        load_network(tmp_path)


def test_other_weights_are_refused(network: TrainedNetwork, tmp_path: Path) -> None:
    save_model(network, tmp_path)
    tensors = load_file(tmp_path / WEIGHTS)
    save_file({**tensors, "gtformer.head.bias": tensors["gtformer.head.bias"] + 1}, tmp_path / WEIGHTS)
    with pytest.raises(InputError, match=r"its checksum is not the one in card.json"):
        load_network(tmp_path)
    save_file({**tensors, "gtformer.head.bias": torch.zeros(3)}, tmp_path / WEIGHTS)
    with pytest.raises(InputError, match=r"not the tensors of the network in card.json"):
        load_network(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"no safetensors")
    with pytest.raises(InputError, match="damaged"):
        load_network(tmp_path)


def test_a_note_that_is_no_json_is_refused(network: TrainedNetwork, tmp_path: Path) -> None:
    network.with_facts(replace(network.facts, notes={"when": float("nan")}))
    with pytest.raises(UsageError, match="holds JSON values only"):
        save_model(network, tmp_path)
    assert not list(tmp_path.iterdir())
