"""The Stable Diffusion back-end: text-to-image models of its first two generations (Rombach et al., 2022)."""

import hashlib
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.models.folder import read_json
from kiridashi.models.loading import quiet
from kiridashi.reference.transition.backend import ATTENTION
from kiridashi.reference.transition.compact import squeezed
from kiridashi.reference.transition.design import require_diffusers
from kiridashi.reference.transition.diffusion import Schedule
from kiridashi.reference.transition.stable_diffusion_files import (
    check_kind,
    check_memory,
    find_folder,
    needed_bytes,
    variant_of,
    weight_files,
)

PREDICTIONS = ("epsilon", "v_prediction")


class StableDiffusionBackend:
    """See `kiridashi.reference.transition.backend.Backend`.

    Runs in float32, on the first CUDA device if there is one.

    Args:
        folder: in the diffusers format, as `find_folder` gives it.
        name: for messages.

    Raises:
        InputError: the files are damaged, do not fit together or are of another kind of model.
    """

    lora_targets = ATTENTION
    threads = None

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self._folder = name, folder
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        check_kind(folder)
        try:
            with quiet():
                parts = _read_parts(folder)
        # What damaged files raise inside the libraries is open-ended; all of it is the folder's fault.
        except Exception as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{name}: the model does not load ({first}); fetch or copy it again") from error
        self.unet, self._vae, self._text_encoder, self._tokenizer, scheduler = parts
        for part in (self.unet, self._vae, self._text_encoder):
            part.to(self._device).eval().requires_grad_(False)
        prediction = scheduler.config.prediction_type
        if prediction not in PREDICTIONS:
            raise InputError(f"{name}: predicts {prediction!r}; expected one of {', '.join(PREDICTIONS)}")
        self.schedule = Schedule(scheduler.alphas_cumprod.double(), prediction)
        self.side = int(self.unet.config.sample_size) * 2 ** (len(self._vae.config.block_out_channels) - 1)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the weights' files and the settings that decide how they are used."""
        found = hashlib.sha256()
        settings = [self._folder / part for part in ("unet/config.json", "scheduler/scheduler_config.json")]
        for path in (*settings, *weight_files(self._folder)):
            with path.open("rb") as stream:
                found.update(hashlib.file_digest(stream, "sha256").digest())
        return found.hexdigest()

    @torch.no_grad()
    def to_latent(self, picture: Picture) -> Tensor:
        """(1, C, side / f, side / f): the autoencoder's mean, scaled as the UNet knows it."""
        pixels = torch.from_numpy(squeezed(picture.pixels, self.side)).permute(2, 0, 1)[None]
        encoded = self._vae.encode((pixels.float() / 127.5 - 1).to(self._device))
        latent: Tensor = encoded.latent_dist.mean if hasattr(encoded, "latent_dist") else encoded.latents
        scaled: Tensor = latent * self._vae.config.scaling_factor
        return scaled.cpu()

    @torch.no_grad()
    def to_picture(self, latent: Tensor) -> Picture:
        """The autoencoder's picture; values beyond -1..1 are cut off."""
        decoded = self._vae.decode(latent.to(self._device) / self._vae.config.scaling_factor).sample[0]
        pixels = ((decoded + 1) * 127.5).round().clamp(0, 255).byte()
        return Picture(pixels.permute(1, 2, 0).cpu().numpy(), "frame")

    @torch.no_grad()
    def text(self, label: str) -> Tensor:
        """(1, N, D): the text encoder's last layer; a label that is too long loses its end."""
        limit = self._text_encoder.config.max_position_embeddings
        tokens = self._tokenizer(
            [label], padding="max_length", max_length=limit, truncation=True, return_tensors="pt"
        )
        found: Tensor = self._text_encoder(tokens.input_ids.to(self._device))[0]
        return found.cpu()

    def predict(self, latent: Tensor, times: Tensor, text: Tensor | None) -> Tensor:
        """Noise or velocity, as the schedule says."""
        words = self.text("") if text is None else text
        words = words.to(self._device).expand(len(latent), -1, -1)
        found = self.unet(latent.to(self._device), times.to(self._device), encoder_hidden_states=words)
        predicted: Tensor = found.sample.to(latent.device)
        return predicted


def _read_parts(folder: Path) -> tuple[Any, Any, Any, Any, Any]:
    """UNet, autoencoder, text encoder, tokenizer, scheduler; from this folder only and without pickles."""
    import diffusers
    from transformers import CLIPTextModel, CLIPTokenizer

    names = [path.relative_to(folder).as_posix() for path in folder.glob("*/*")]

    def read(net_class: Any, part: str) -> Any:
        return net_class.from_pretrained(
            folder / part,
            variant=(variant_of(part, names) or "").removeprefix(".") or None,
            use_safetensors=True,
            local_files_only=True,
            torch_dtype=torch.float32,
        )

    is_tiny = read_json(folder / "vae" / "config.json").get("_class_name") == "AutoencoderTiny"
    vae_class = diffusers.AutoencoderTiny if is_tiny else diffusers.AutoencoderKL
    return (
        read(diffusers.UNet2DConditionModel, "unet"),
        read(vae_class, "vae"),
        read(CLIPTextModel, "text_encoder"),
        CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        diffusers.DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True),
    )


@lru_cache(maxsize=1)
def load_stable_diffusion(place: str) -> StableDiffusionBackend:
    """The model of a hub id or a folder; loaded once a process.

    Raises:
        UsageError: neither an id nor a folder, too little memory, or diffusers is not installed.
        ModelUnavailableError: not on this machine and it cannot be fetched.
        InputError: the files are damaged or of another kind of model.
    """
    require_diffusers()
    folder = find_folder(place)
    check_memory(place, needed_bytes(folder))
    return StableDiffusionBackend(folder, place)
