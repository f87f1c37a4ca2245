"""From what the user names to a delta: the folder that `adapt` wrote, or the file in it."""

from dataclasses import replace
from pathlib import Path

from kiridashi.core.errors import UsageError
from kiridashi.models.catalogue import ModelCard
from kiridashi.models.delta.delta import Delta, read_facts

DELTA_FILE = "delta.safetensors"
CARD_FILE = "card.json"
# How much of a delta's digest names it in a model's card.
SHORT = 12


def delta_file(path: Path) -> Path:
    """The delta's file.

    Raises:
        UsageError: there is none; says what `adapt` left instead, if it ended without a gain.
    """
    if path.is_file():
        return path
    if (path / DELTA_FILE).is_file():
        return path / DELTA_FILE
    if (path / CARD_FILE).is_file():
        raise UsageError(
            f"{path}: adapting brought no gain here, so there is no delta ({path / CARD_FILE} says more); "
            "the model itself is all there is"
        )
    raise UsageError(f"{path}: no delta here; `kiridashi adapt DATA --what decoder --out DIR` makes one")


def adapted_card(base: ModelCard, path: Path) -> ModelCard:
    """The card of a model with the delta of a path in it; the weights are not read.

    Raises:
        UsageError: there is no delta.
        InputError: it is damaged.
    """
    card, digest = read_facts(delta_file(path))
    return with_delta(base, card.part, digest)


def with_delta(base: ModelCard, part: str, digest: str) -> ModelCard:
    """A card that names base and delta."""
    adapted = f"{part}-{digest[:SHORT]}"
    return replace(base, name=f"{base.name}@{adapted}", adapted=adapted)


def open_delta(path: Path) -> Delta:
    """Read a delta from its folder or its file.

    Raises:
        UsageError: there is none.
        InputError: it is damaged.
    """
    return Delta.load(delta_file(path))
