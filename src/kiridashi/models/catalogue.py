"""The catalogue of models: one card each, as data."""

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from kiridashi.core.errors import UsageError
from kiridashi.models.thresholds import SAM2_THRESHOLDS, GridThresholds

Part = Literal["image_encoder", "mask_decoder", "memory"]
ALL_PARTS: frozenset[Part] = frozenset({"image_encoder", "mask_decoder", "memory"})
DEFAULT_MODEL = "compact"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model before its files are read.

    Attributes:
        name: what the user types.
        summary: one line for `models list`.
        family: `sam2` or `edgetam`: which classes of transformers read it.
        source: `package:FILE`, `hub:OWNER/NAME` or `folder:PATH`.
        licence: SPDX identifier of the weights, or "unknown".
        parameters: number of parameters, video part included; 0 when not known.
        image_size: side of the square input in pixels.
        mean: of the three channels, in 0..1.
        std: of the three channels, in 0..1.
        trained: the parts whose weights may be relied on.
        sha256: of the shipped file; empty for models that are not shipped.
        note: what a user should know.
        draws_prompts: prompts are also drawn on the mask-prompt map, see `prompt_map`.
        recalls_by_matching: in a video, frames are compared with those remembered, and what resembles the
            object is drawn on the mask-prompt map; else SAM 2's memory attention recalls.
        grid: what a mask must reach in "segment everything"; default: SAM 2's thresholds.
        adapted: part and digest of the delta that stands in the model, such as `decoder-1f2e3d4c5b6a`; empty:
            none. The name then is that of the base, an @ and this.
    """

    name: str
    summary: str
    family: str
    source: str
    licence: str
    parameters: int
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    trained: frozenset[Part] = ALL_PARTS
    sha256: str = ""
    note: str = ""
    draws_prompts: bool = False
    recalls_by_matching: bool = False
    grid: GridThresholds = SAM2_THRESHOLDS
    adapted: str = ""

    @property
    def base_name(self) -> str:
        """The name without the delta."""
        return self.name.removesuffix(f"@{self.adapted}") if self.adapted else self.name

    @property
    def sees_as_shipped(self) -> bool:
        """Whether it is the default model, at most with a delta above its trunk."""
        return self.base_name == DEFAULT_MODEL and not self.adapted.startswith("lora")

    @property
    def kind(self) -> str:
        """`package`, `hub` or `folder`."""
        return self.source.partition(":")[0]

    @property
    def place(self) -> str:
        """The file in the package, the repository on the hub, or the folder's path."""
        return self.source.partition(":")[2]

    @property
    def is_cached(self) -> bool:
        """Whether the weights are on this machine."""
        from kiridashi.models.fetching import cached_folder, shipped_file

        if self.kind == "package":
            return shipped_file(self).is_file()
        return self.kind == "folder" or cached_folder(self) is not None

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain JSON types, and `cached`."""
        fields = dict(vars(self))
        fields.update(mean=list(self.mean), std=list(self.std), trained=sorted(self.trained))
        fields["grid"] = dict(vars(self.grid))
        fields["cached"] = self.is_cached
        return fields


@cache
def cards() -> dict[str, ModelCard]:
    """Every card of the catalogue by name, in the order of the file."""
    text = files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")
    found = {}
    for name, fields in tomllib.loads(text).items():
        fields["mean"], fields["std"] = tuple(fields["mean"]), tuple(fields["std"])
        fields["trained"] = frozenset(fields.get("trained", ALL_PARTS))
        fields["grid"] = GridThresholds(**fields.get("grid", {}))
        found[name] = ModelCard(name=name, **fields)
    return found


def find_card(name: str) -> ModelCard:
    """The card of a catalogue name, or one made up for a local folder.

    Args:
        name: `NAME`, or `NAME@DELTA` for a model with a delta in it (see `kiridashi.models.delta`).

    Raises:
        UsageError: neither a name of the catalogue nor a model folder; suggests the nearest name.
        InputError: a folder whose configuration cannot be used, or a delta that cannot be read.
    """
    known = cards()
    if name in known:
        return known[name]
    folder = Path(name)
    base, delta = split_name(name)
    if delta is not None:
        from kiridashi.models.delta.opening import adapted_card

        return adapted_card(find_card(base), delta)
    if (folder / "config.json").is_file():
        from kiridashi.models.folder import card_of_folder

        return card_of_folder(folder)
    if name and folder.is_dir() and (folder / "delta.safetensors").is_file():
        raise UsageError(
            f"{name}: not a model but a delta of one; use it as --adapt {name}, or as MODEL@{name}"
        )
    if name and folder.is_dir():
        raise UsageError(f"{name}: no config.json here; a model folder is what save_pretrained writes")
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(f"no model named {name!r}.{hint} Known: {', '.join(known)}, or a local folder")


def split_name(name: str) -> tuple[str, Path | None]:
    """What comes before and after the @ of a model's name, the latter None without one.

    A folder whose own name holds an @ is a folder.
    """
    if (Path(name) / "config.json").is_file():
        return name, None
    places = [place for place, letter in enumerate(name) if letter == "@"]
    for place in places:
        base = name[:place]
        if base in cards() or (Path(base) / "config.json").is_file():
            return base, Path(name[place + 1 :])
    return name, None
