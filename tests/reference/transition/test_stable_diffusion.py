import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kiridashi.core.errors import InputError, ModelUnavailableError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.reference.transition import TransitionOptions, make_transition
from kiridashi.reference.transition import stable_diffusion_files as files
from kiridashi.reference.transition.stable_diffusion import StableDiffusionBackend, load_stable_diffusion

MakePicture = Callable[..., Picture]
SIDE = 16


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion pipeline of a few thousand random weights, as save_pretrained writes it."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("pipeline") / "tiny"
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=SIDE // 2,
        layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 8),
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=0.18215,
    )
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    words = {word: number for number, word in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8,
        bos_token_id=words["<|startoftext|>"],
        eos_token_id=words["<|endoftext|>"],
    )
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(words, []),
        unet=unet,
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def copy(pipeline: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(pipeline, tmp_path / "copy"))


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    load_stable_diffusion.cache_clear()
    yield
    load_stable_diffusion.cache_clear()


def test_dbst_runs_end_to_end_on_a_folder(
    pipeline: Path, make_picture: MakePicture, quick: TransitionOptions, tmp_path: Path
) -> None:
    options = replace(quick, backend=str(pipeline))
    seen: list[tuple[int, int]] = []
    dbst = make_transition(
        "dbst",
        options,
        label="a cat",
        cache=tmp_path / "cache",
        progress=lambda done, total: seen.append((done, total)),
    )
    pair = make_picture((20, 30), seed=1), make_picture((33, 21), seed=2)
    frames = dbst.frames(*pair)
    assert [frame.size for frame in frames] == [(33, 21)] * 2
    assert seen[-1][0] == seen[-1][1] == len(seen)
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 2
    again = make_transition("dbst", options, label="a cat", cache=tmp_path / "cache").frames(*pair)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(again, frames, strict=True))


def test_text_reaches_the_network_and_is_interpolated(
    pipeline: Path, make_picture: MakePicture, quick: TransitionOptions
) -> None:
    backend = load_stable_diffusion(str(pipeline))
    cat, nothing = backend.text("cat"), backend.text("")
    assert cat.shape == nothing.shape == (1, 8, 16)
    latent, times = backend.to_latent(make_picture()), torch.tensor([500])
    assert latent.shape == (1, 4, SIDE // 2, SIDE // 2)
    with torch.no_grad():
        one, two, none = (backend.predict(latent, times, text) for text in (cat, nothing, None))
    assert torch.equal(two, none)
    assert not torch.equal(one, two)
    assert backend.text("cat " * 50).shape == (1, 8, 16)


def test_attention_alone_is_adapted(pipeline: Path, quick: TransitionOptions) -> None:
    from kiridashi.reference.transition.lora import adapted

    with adapted(load_stable_diffusion(str(pipeline)), quick.rank) as layers:
        names = layers.state().keys()
    assert names
    assert all(".attn1.to_" in name or ".attn2.to_" in name for name in names)


def test_velocity_models_are_taken_and_others_refused(copy: Path) -> None:
    path = copy / "scheduler" / "scheduler_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "prediction_type": "v_prediction"}))
    velocity = StableDiffusionBackend(copy, "copy")
    assert velocity.schedule.prediction == "v_prediction"
    path.write_text(json.dumps({**settings, "prediction_type": "sample"}))
    with pytest.raises(InputError, match="predicts 'sample'"):
        StableDiffusionBackend(copy, "copy")


def test_the_digest_follows_weights_and_schedule(pipeline: Path, copy: Path) -> None:
    digest = StableDiffusionBackend(pipeline, "one").digest
    assert StableDiffusionBackend(copy, "two").digest == digest
    path = copy / "scheduler" / "scheduler_config.json"
    path.write_text(path.read_text().replace("0.012", "0.013"))
    assert StableDiffusionBackend(copy, "two").digest != digest


def test_a_tiny_autoencoder_serves_as_well(copy: Path, make_picture: MakePicture) -> None:
    from diffusers import AutoencoderTiny

    shutil.rmtree(copy / "vae")
    tiny = AutoencoderTiny(
        encoder_block_out_channels=(4, 4),
        decoder_block_out_channels=(4, 4),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    )
    tiny.save_pretrained(copy / "vae")
    backend = load_stable_diffusion(str(copy))
    latent = backend.to_latent(make_picture())
    assert latent.shape == (1, 4, SIDE // 2, SIDE // 2)
    assert backend.to_picture(latent).size == (SIDE, SIDE)


def test_pickled_weights_are_never_read(copy: Path) -> None:
    (copy / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({}, copy / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(InputError, match="pickled"):
        load_stable_diffusion(str(copy))


def test_halved_weights_serve_where_there_are_no_others(pipeline: Path, copy: Path) -> None:
    plain = copy / "unet" / "diffusion_pytorch_model.safetensors"
    plain.rename(plain.with_name("diffusion_pytorch_model.fp16.safetensors"))
    loaded = load_stable_diffusion(str(copy))
    expected = load_stable_diffusion(str(pipeline)).unet.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.unet.state_dict().items())


@pytest.mark.parametrize("part", ["model_index.json", "vae", "text_encoder"])
def test_a_missing_part_is_named(copy: Path, part: str) -> None:
    path = copy / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(InputError, match=part):
        load_stable_diffusion(str(copy))


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model.safetensors", "tokenizer/tokenizer.json"])
def test_damaged_files_are_the_folders_fault(copy: Path, part: str) -> None:
    path = copy / part
    assert path.is_file()
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="again"):
        load_stable_diffusion(str(copy))


def test_other_families_are_refused(copy: Path) -> None:
    index = json.loads((copy / "model_index.json").read_text())
    index["_class_name"] = "StableDiffusionXLPipeline"
    index["text_encoder_2"] = ["transformers", "CLIPTextModelWithProjection"]
    (copy / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="StableDiffusionXLPipeline"):
        load_stable_diffusion(str(copy))


def test_too_little_memory_is_said_before_loading(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = files.needed_bytes(pipeline)
    unet = sum(value.numel() for value in load_stable_diffusion(str(pipeline)).unet.parameters())
    assert needed > 2 * files.FLOAT_BYTES * unet
    load_stable_diffusion.cache_clear()
    monkeypatch.setattr(files, "free_memory", lambda: needed - 1)
    with pytest.raises(UsageError, match="GiB is free"):
        load_stable_diffusion(str(pipeline))
    monkeypatch.setattr(files, "free_memory", lambda: None)
    assert load_stable_diffusion(str(pipeline)).name == str(pipeline)


def test_free_memory_is_known_on_linux() -> None:
    free = files.free_memory()
    assert (free is None) == (not Path("/proc/meminfo").is_file())
    assert free is None or free > 1 << 20


def test_a_hub_id_without_a_network_is_reported() -> None:
    with pytest.raises(ModelUnavailableError, match=r"HF_HUB_OFFLINE|no connection"):
        load_stable_diffusion("nobody/no-such-model")


@pytest.mark.parametrize("place", ["", "one", "a/b/c", "a b/c", "../elsewhere"])
def test_what_is_neither_folder_nor_id_is_refused(place: str) -> None:
    with pytest.raises(UsageError, match="hub id such as owner/name"):
        files.find_folder(place + "!")


def test_one_variant_is_fetched_and_no_pickle() -> None:
    names = [
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.json",
    ]
    assert set(files._weight_patterns(names)) & set(names) == {names[0], names[4], *names[5:]}
