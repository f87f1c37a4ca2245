"""The methods that a site file may name; nothing is loaded before one of them is asked."""

import re
from functools import partial
from importlib.metadata import PackageNotFoundError, metadata
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiridashi.evaluate.pictures.measuring import Maker, Segmenter
    from kiridashi.poc.proof import Lineup
    from kiridashi.poc.trial.growing import Growing

# What the baselines are made of; the other methods have the model's licence.
LIBRARIES = MappingProxyType({"forest": ("scikit-image", "scikit-learn"), "unet": ("torch",)})

_NAME = re.compile(r"[\w.+() -]{2,200}")


def lineup(model: str) -> "Lineup":
    """All methods on a model.

    Args:
        model: of the catalogue, or a model folder; with a delta as `options.adapted_name` writes it.

    Raises:
        UsageError: there is no such model or delta.
    """
    from kiridashi.evaluate.baselines.named import BASELINE_NAMES
    from kiridashi.models.catalogue import find_card
    from kiridashi.poc.proof import Lineup
    from kiridashi.reference.methods import METHOD_NAMES

    card = find_card(model)
    makers: dict[str, Maker] = {
        name: partial(_make, name, model) for name in (*METHOD_NAMES, *BASELINE_NAMES)
    }
    of_libraries = {name: library_licence(name) for names in LIBRARIES.values() for name in names}
    licences = dict.fromkeys(makers, card.licence)
    licences |= {
        name: ", ".join(sorted({of_libraries[one] for one in used})) for name, used in LIBRARIES.items()
    }
    rows = [(f"{card.name} (model)", card.licence, card.source)]
    rows += [(name, licence, "library") for name, licence in of_libraries.items()]
    facts = {"model": card.name, "model file": card.sha256 or card.source}
    if card.adapted:
        facts["delta"] = card.adapted
    return Lineup(makers, licences, rows, facts, model, partial(_growing, model))


def library_licence(name: str) -> str:
    """What an installed library says of its licence, in a few words; empty: nothing."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return ""
    for field in ("License-Expression", "License"):
        written = told[field].strip() if field in told else ""
        # Some packages have the whole text where others have the licence's name.
        if _NAME.fullmatch(written):
            return written
    classifiers = [one for one in told.get_all("Classifier") or [] if one.startswith("License ::")]
    return classifiers[-1].rpartition(":: ")[2] if classifiers else ""


def _make(name: str, model: str, seed: int) -> "Segmenter":
    from kiridashi.cli.evaluate_pictures_methods import makers

    return makers([name], model)[name](seed)


def _growing(model: str) -> "Growing":
    from kiridashi.classes.growing import GrowingDetector
    from kiridashi.models.loading import load_model

    return GrowingDetector(load_model(model))
