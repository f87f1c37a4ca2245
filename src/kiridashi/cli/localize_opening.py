"""A MODEL folder and the models that it needs, as the verbs of `kiridashi localize` open them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiridashi.core.errors import UsageError
from kiridashi.data.files import one_line, reason_of

if TYPE_CHECKING:
    from kiridashi.localize.maps import TrainedLocaliser
    from kiridashi.localize.trained import Facts
    from kiridashi.models.promptable import PromptableModel

# In the card's notes: how the user named the model with the frozen trunk, which may be a folder.
NAMED = "model"
DEFAULT = "compact"


@dataclass(frozen=True, eq=False)
class Opened:
    """What finds and what draws.

    Attributes:
        network: the trained one.
        sam: draws masks.
        digest: of the folder's card, which names the checksum of its weights.
    """

    network: "TrainedLocaliser"
    sam: "PromptableModel"
    digest: str

    @property
    def facts(self) -> "Facts":
        """Of the training."""
        return self.network.network.facts


def open_model(folder: Path, sam: str | None) -> Opened:
    """Load a MODEL folder, the model that it looks through, and the one that draws.

    Args:
        folder: as `localize fit` writes it.
        sam: name of what draws; None: the one it looks through.

    Raises:
        InputError: not such a folder, or damaged.
        UsageError: no model of that name, its mask decoder is not trained, or its encoder is not the one of
            the training.
        ModelUnavailableError: a model's files are not here.
    """
    from kiridashi.localize import model_folder
    from kiridashi.localize.maps import TrainedLocaliser
    from kiridashi.models import loading

    network = model_folder.load_network(folder)
    facts = network.facts
    looks = None if facts.options.network.is_deit else str(facts.notes.get(NAMED, facts.model))
    draws = sam or looks or DEFAULT
    loaded = {name: loading.load_model(name) for name in dict.fromkeys((looks, draws)) if name is not None}
    loaded[draws].require("mask_decoder", "drawing masks")
    localiser = TrainedLocaliser(None if looks is None else loaded[looks], network)
    return Opened(localiser, loaded[draws], _digest(folder / model_folder.CARD))


def _digest(card: Path) -> str:
    try:
        return hashlib.sha256(card.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(one_line(f"{card}: {reason_of(error)}")) from error
