import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from kiridashi.core.errors import InputError, ModelUnavailableError
from kiridashi.core.picture import Picture
from kiridashi.reference.transition import compact
from kiridashi.reference.transition.compact import CompactBackend, load_compact
from kiridashi.reference.transition.design import (
    Design,
    design_from_json,
    design_to_json,
    make_unet,
    shipped_folder,
)

Colour = Callable[..., Picture]
TINY = Design(side=16, channels=(8, 16), head=8)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(compact, "shipped_folder", lambda: tmp_path)
    load_compact.cache_clear()
    yield tmp_path
    load_compact.cache_clear()


def write_model(folder: Path) -> None:
    halves = {name: value.half() for name, value in make_unet(TINY, seed=3).state_dict().items()}
    write_files(folder, save(halves))


def write_files(folder: Path, content: bytes) -> None:
    (folder / "compact.safetensors").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (folder / "compact.json").write_text(design_to_json(TINY, sha256=digest))


def test_a_picture_of_the_models_size_comes_back_bit_for_bit(backend: CompactBackend) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    latent = backend.to_latent(Picture(pixels))
    assert latent.shape == (1, *backend.design.latent)
    assert float(latent.abs().max()) <= 1
    assert np.array_equal(backend.to_picture(latent).pixels, pixels)


def test_a_picture_is_squeezed_to_the_square(backend: CompactBackend, colour: Colour) -> None:
    latent = backend.to_latent(colour(255, 0, 0, size=(9, 70)))
    assert backend.to_picture(latent).pixels.reshape(-1, 3).tolist() == [[255, 0, 0]] * 256


def test_values_out_of_range_are_cut_off(backend: CompactBackend) -> None:
    assert backend.to_picture(torch.full((1, *backend.design.latent), 9.0)).pixels.min() == 255


def test_the_shipped_design_is_small_and_attends_at_8_places() -> None:
    unet = make_unet()
    assert sum(value.numel() for value in unet.parameters()) < 3_000_000
    assert Design().latent == (12, 32, 32)
    assert design_from_json(design_to_json(Design(), sha256="x")) == (Design(), {"sha256": "x"})
    assert torch.equal(make_unet(seed=4).conv_in.weight, make_unet(seed=4).conv_in.weight)


def test_the_digest_tells_networks_apart(backend: CompactBackend) -> None:
    assert CompactBackend(make_unet(TINY, seed=1), TINY).digest == backend.digest
    assert CompactBackend(make_unet(TINY, seed=2), TINY).digest != backend.digest


def test_weights_are_loaded_by_their_description(empty_folder: Path) -> None:
    write_model(empty_folder)
    loaded = load_compact()
    assert loaded.design == TINY
    expected = make_unet(TINY, seed=3).conv_in.weight.half().float()
    assert torch.equal(loaded.unet.conv_in.weight, expected)


def test_missing_and_damaged_files_are_reported(empty_folder: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="not in this installation"):
        load_compact()
    write_model(empty_folder)
    (empty_folder / "compact.safetensors").write_bytes(b"rubbish")
    with pytest.raises(InputError, match="not the file"):
        load_compact()
    write_files(empty_folder, save({"a": torch.zeros(1)}))
    with pytest.raises(InputError, match="damaged"):
        load_compact()
    write_files(empty_folder, b"rubbish")
    with pytest.raises(InputError, match="damaged"):
        load_compact()
    (empty_folder / "compact.json").write_text("{}")
    with pytest.raises(InputError, match="install kiridashi again"):
        load_compact()


def test_the_shipped_weights_find_noise() -> None:
    if not (shipped_folder() / "compact.safetensors").is_file():
        pytest.skip("the compact diffusion model is not trained yet")
    backend = load_compact()
    rows, columns = np.mgrid[:64, :64]
    pixels = np.stack([rows * 4, columns * 4, np.full((64, 64), 90)], axis=2).astype(np.uint8)
    clean, times = backend.to_latent(Picture(pixels)), torch.tensor([100, 300, 500, 700, 900])
    noise = torch.randn((5, *backend.design.latent), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = backend.predict(
            backend.schedule.noisy(clean.expand(5, -1, -1, -1), noise, times), times, None
        )
    assert float((found - noise).square().mean()) < 0.15
