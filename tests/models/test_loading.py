import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import EdgeTamConfig, EdgeTamModel, Sam2Config, Sam2Model

from kiridashi.core.errors import InputError, ModelUnavailableError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models import loading
from kiridashi.models.catalogue import find_card
from kiridashi.models.fetching import shipped_file
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.thresholds import SAM2_THRESHOLDS, GridThresholds

PROMPT = Prompt(points=((40.0, 50.0, 1),), box=(20.0, 20.0, 90.0, 100.0))
# What only our own networks are trained for.
OWN_FLAGS = ("draws_prompts", "recalls_by_matching")


@pytest.fixture(autouse=True)
def forget_loaded() -> Iterator[None]:
    load_model.cache_clear()
    yield
    load_model.cache_clear()


@pytest.fixture(scope="session")
def saved_sam2(tiny_sam2: PromptableModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sam2_video")
    tiny_sam2.net.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved_sam2: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(saved_sam2, tmp_path / "model"))


def still_of(video: Any) -> Any:
    """`Sam2Model` with the weights of a `Sam2VideoModel`."""
    config = video.config
    net = Sam2Model(
        Sam2Config(
            vision_config=config.vision_config,
            prompt_encoder_config=config.prompt_encoder_config.to_dict(),
            mask_decoder_config=config.mask_decoder_config.to_dict(),
        )
    )
    assert not net.load_state_dict(video.state_dict(), strict=False).missing_keys
    return net


def same_masks(one: PromptableModel, other: PromptableModel, picture: Picture) -> bool:
    first, second = (model.decode(model.encode(picture), [PROMPT]) for model in (one, other))
    return torch.allclose(first.logits, second.logits, atol=1e-4) and torch.allclose(
        first.iou, second.iou, atol=1e-5
    )


def test_the_shipped_model_loads_once() -> None:
    model = load_model()
    assert load_model("compact") is load_model("compact")
    assert model.card.name == "compact"
    assert sum(p.numel() for p in model.net.parameters()) == model.card.parameters
    assert not model.net.training
    assert all(p.dtype == torch.float32 for p in model.net.parameters())


def test_loading_twice_gives_the_same_network() -> None:
    first = load_model("compact").net.state_dict()
    load_model.cache_clear()
    torch.manual_seed(99)
    second = load_model("compact").net.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_loading_leaves_the_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    load_model("compact")
    assert torch.equal(torch.rand(1), expected)


def test_a_damaged_shipped_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "compact.safetensors"
    path.write_bytes(shipped_file(find_card("compact")).read_bytes()[:-7])
    monkeypatch.setattr(loading, "shipped_file", lambda card: path)
    with pytest.raises(InputError, match=r"damaged.*\nto repair the package, type: pip install"):
        load_model("compact")


def test_a_lost_shipped_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loading, "shipped_file", lambda card: tmp_path / "gone.safetensors")
    with pytest.raises(ModelUnavailableError, match=r"gone\.safetensors: cannot be read"):
        load_model("compact")


def test_a_video_folder_loads_with_all_its_parts(
    folder: Path, tiny_sam2: PromptableModel, make_clip: Callable[..., list[Picture]]
) -> None:
    model = load_model(str(folder))
    model.require("memory", "tracking")
    assert model.card.image_size == tiny_sam2.card.image_size
    expected = tiny_sam2.net.state_dict()
    loaded = model.net.state_dict()
    assert expected.keys() == loaded.keys()
    assert all(torch.equal(expected[name], loaded[name]) for name in expected)
    assert same_masks(model, tiny_sam2, make_clip(1)[0])


@pytest.mark.parametrize("model_type", ["sam2_video", "sam2"])
def test_a_fetched_model_loads_with_its_memory(
    folder: Path, tiny_sam2: PromptableModel, monkeypatch: pytest.MonkeyPatch, model_type: str
) -> None:
    change_config(folder, model_type=model_type)
    monkeypatch.setattr(loading, "cached_folder", lambda card: folder)
    model = load_model("sam2.1-tiny")
    assert model.card == find_card("sam2.1-tiny")
    assert model.net.state_dict().keys() == tiny_sam2.net.state_dict().keys()


def test_an_image_folder_loads_for_pictures_only(
    tiny_sam2: PromptableModel, make_clip: Callable[..., list[Picture]], tmp_path: Path
) -> None:
    still_of(tiny_sam2.net).save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    assert type(model.net) is Sam2Model
    assert same_masks(model, tiny_sam2, make_clip(1)[0])
    with pytest.raises(UsageError, match="concat needs a trained memory"):
        model.require("memory", "concat")


def test_an_image_folder_of_the_edgetam_family_loads(
    tiny_edgetam: PromptableModel, make_clip: Callable[..., list[Picture]], tmp_path: Path
) -> None:
    video = tiny_edgetam.net
    net = EdgeTamModel(
        EdgeTamConfig(
            vision_config=video.config.vision_config,
            prompt_encoder_config=video.config.prompt_encoder_config.to_dict(),
            mask_decoder_config=video.config.mask_decoder_config.to_dict(),
        )
    )
    net.load_state_dict(video.state_dict(), strict=False)
    net.save_pretrained(tmp_path)
    assert same_masks(load_model(str(tmp_path)), tiny_edgetam, make_clip(1)[0])


def test_the_compact_model_keeps_its_card_in_a_folder(
    tmp_path: Path, make_clip: Callable[..., list[Picture]]
) -> None:
    shipped = load_model("compact")
    shipped.net.save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path))
    for field in ("mean", "std", "image_size", "trained", "licence", "family", "grid", *OWN_FLAGS):
        assert getattr(loaded.card, field) == getattr(shipped.card, field)
    assert all(getattr(loaded.card, flag) for flag in OWN_FLAGS)
    assert loaded.card.grid != SAM2_THRESHOLDS
    assert same_masks(loaded, shipped, make_clip(1)[0])


@pytest.mark.parametrize("flag", OWN_FLAGS)
@pytest.mark.parametrize("value", [None, False, "no"])
def test_a_folder_has_a_flag_only_where_it_says_so(folder: Path, flag: str, value: object) -> None:
    change_config(folder, kiridashi=None if value is None else {flag: value})
    assert getattr(find_card(str(folder)), flag) is False
    change_config(folder, kiridashi={flag: True})
    assert getattr(find_card(str(folder)), flag) is True


def test_a_folder_has_thresholds_of_its_own_only_where_it_says_so(folder: Path) -> None:
    assert find_card(str(folder)).grid == SAM2_THRESHOLDS
    change_config(folder, kiridashi={"grid": {"predicted_iou": 0.25, "stability": 0.75}})
    assert find_card(str(folder)).grid == GridThresholds(0.25, 0.75)


@pytest.mark.parametrize(
    "wrong", [{"predicted_iou": 1.5}, {"stability": "high"}, {"stability": None}, {"size": 0.5}, [0.5], 0.5]
)
def test_thresholds_that_cannot_be_used_are_refused(folder: Path, wrong: object) -> None:
    change_config(folder, kiridashi={"grid": wrong})
    with pytest.raises(InputError, match="grid must hold predicted_iou and stability"):
        find_card(str(folder))


def test_half_precision_weights_are_computed_in_single(folder: Path) -> None:
    weights = folder / "model.safetensors"
    save_file(
        {name: value.half() for name, value in load_file(weights).items()}, weights, metadata={"format": "pt"}
    )
    net = load_model(str(folder)).net
    assert all(p.dtype == torch.float32 for p in net.parameters())


def test_weights_in_several_files_load(folder: Path, tiny_sam2: PromptableModel) -> None:
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, kept in shards.items():
        save_file({name: state[name] for name in kept}, folder / shard)
    index = {"weight_map": {name: shard for shard, kept in shards.items() for name in kept}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    loaded = load_model(str(folder)).net.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in tiny_sam2.net.state_dict().items())


@pytest.mark.parametrize("shard", ["../other.safetensors", "/etc/passwd", 3])
def test_an_index_must_not_leave_its_folder(folder: Path, shard: object) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(InputError, match="must list safetensors files of this folder"):
        load_model(str(folder))


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin is a pickle, which can run code"):
        load_model(str(folder))


def test_a_folder_without_weights_says_what_is_missing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors in this folder"):
        load_model(str(folder))


@pytest.mark.parametrize("kept", [0, 5, 4000, -10])
def test_truncated_weights_are_named(folder: Path, kept: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"model\.safetensors: damaged or truncated"):
        load_model(str(folder))


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def drop_weights(folder: Path, start: str) -> None:
    state = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in state.items() if not name.startswith(start)}
    assert len(kept) < len(state)
    save_file(kept, folder / "model.safetensors")


def test_missing_weights_are_refused(folder: Path) -> None:
    drop_weights(folder, "memory_attention.layers.1")
    with pytest.raises(InputError, match=r"lacks weights: memory_attention\.layers\.1\.\S+, .* and \d+ more"):
        load_model(str(folder))


def test_weights_of_a_deeper_network_are_refused(folder: Path) -> None:
    change_config(folder, memory_attention_num_layers=1)
    with pytest.raises(InputError, match=r"has weights the network lacks: memory_attention\.layers\.1"):
        load_model(str(folder))


def test_weights_of_another_width_are_refused(folder: Path) -> None:
    change_config(folder, memory_encoder_output_channels=32)
    with pytest.raises(InputError, match=r"the weights do not fit config\.json"):
        load_model(str(folder))


def test_a_configuration_of_another_family_is_refused(folder: Path) -> None:
    change_config(folder, model_type="edgetam_video")
    with pytest.raises(InputError, match=r"config\.json"):
        load_model(str(folder))


@pytest.mark.parametrize(
    "changes", [{"vision_config": 3}, {"prompt_encoder_config": {"hidden_size": "wide"}}]
)
def test_a_senseless_configuration_is_refused(folder: Path, changes: dict[str, object]) -> None:
    change_config(folder, **changes)
    with pytest.raises(InputError, match=r"do not fit config\.json"):
        load_model(str(folder))


def test_loading_is_silent(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        load_model(str(folder))
        drop_weights(folder, "mask_decoder.conv_s0")
        load_model.cache_clear()
        with pytest.raises(InputError):
            load_model(str(folder))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_quiet_restores_what_was_set() -> None:
    from transformers.utils import logging as chatter

    before = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    with loading.quiet():
        assert not chatter.is_progress_bar_enabled()
    assert (chatter.get_verbosity(), chatter.is_progress_bar_enabled()) == before
