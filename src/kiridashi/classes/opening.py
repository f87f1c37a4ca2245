"""From a registry's file and a model to what can be asked: classifier, thresholds and detector."""

import shlex
from pathlib import Path

import numpy as np

from kiridashi.classes.classifier import CosineClassifier
from kiridashi.classes.detector import Detector, DetectorSettings
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.head import load_head
from kiridashi.classes.registry import Registry, RegistryState
from kiridashi.classes.registry_file import open_registry
from kiridashi.core.errors import UsageError
from kiridashi.data.files import one_line
from kiridashi.models import loading
from kiridashi.models.promptable import PromptableModel

__all__ = [
    "check_embedder",
    "classifier_of",
    "embedder_of",
    "loaded",
    "model_of",
    "open_detector",
    "open_or_create",
    "open_registry",
    "thresholds_of",
]


def open_detector(
    path: str | Path,
    model: PromptableModel | str | None = None,
    settings: DetectorSettings | None = None,
    *,
    head: str | Path | None = None,
    writable: bool = False,
) -> tuple[Registry, Detector]:
    """A registry and a detector of the classes that it holds now.

    Args:
        path: of the registry.
        model: that draws the masks, or its name; None: the one that the registry was made with.
        settings: of the detector.
        head: file of the embedding head that the registry was made with; None: without one.
        writable: whether the registry is to be written, to record statistics for instance.

    Returns:
        The registry, which the caller closes, and the detector.

    Raises:
        InputError: no such file, or a damaged one, or a damaged head.
        UsageError: no classes yet, made with another model, or it is to be written and cannot be.
        ModelUnavailableError: the model's files are not here.
    """
    registry = open_registry(path, writable=writable)
    try:
        state = registry.state()
        if not state.classes:
            raise UsageError(
                one_line(f"{path}: no class is registered; add one with `kiridashi classes add NAME`")
            )
        chosen = model_of(path, state, model)
        embedder = embedder_of(chosen, head, state.fingerprint)
        check_embedder(path, state, embedder)
        return registry, Detector(chosen, classifier_of(state), thresholds_of(state), settings, embedder)
    except BaseException:
        registry.close()
        raise


def open_or_create(path: str | Path, embedder: Embedder, *, author: str | None = None) -> Registry:
    """A registry to write to; where there is none yet, a new one of this embedder.

    Raises:
        InputError: there is something else, or a damaged registry.
        UsageError: made with another model, or it cannot be written.
    """
    if not Path(path).exists():
        try:
            return Registry.create(
                path,
                embedder.model_name,
                embedder.fingerprint,
                embedder.width,
                head=None if embedder.head_file is None else str(embedder.head_file),
                author=author,
            )
        except UsageError:
            # Another process may have made it at the same moment.
            if not Path(path).exists():
                raise
    registry = open_registry(path, writable=True)
    try:
        check_embedder(path, registry.state(), embedder)
    except BaseException:
        registry.close()
        raise
    return registry


def loaded(model: PromptableModel | str) -> PromptableModel:
    """The model of a name, or the model itself.

    Raises:
        UsageError: no such name.
        ModelUnavailableError: its files are not here.
        InputError: its files are damaged.
    """
    return loading.load_model(model) if isinstance(model, str) else model


def model_of(
    path: str | Path, state: RegistryState, model: PromptableModel | str | None = None
) -> PromptableModel:
    """The model that is asked for, or else the one that a registry was made with.

    Raises:
        UsageError: no such name, or the registry's own model lies elsewhere now.
        ModelUnavailableError: its files are not here.
        InputError: its files are damaged.
    """
    if model is not None:
        return loaded(model)
    try:
        return loaded(state.model)
    except UsageError as error:
        raise UsageError(
            one_line(
                f"{path}: its classes were made with model {state.model}, which is not there; name the place "
                "where it is now with --model"
            )
        ) from error


def embedder_of(
    model: PromptableModel, head: str | Path | None = None, wanted: str | None = None
) -> Embedder:
    """What makes a model's embeddings.

    Args:
        model: that draws the masks.
        head: file of the learned head; None: the package's own, if it has one for this model.
        wanted: fingerprint of a registry. One from before the package had a head goes on without.

    Raises:
        InputError: the head is damaged or of another model.
    """
    if head is not None:
        return Embedder(model, load_head(head))
    embedder = Embedder(model)
    if wanted in (None, embedder.fingerprint) or embedder.head is None:
        return embedder
    plain = Embedder(model, None)
    return plain if plain.fingerprint == wanted else embedder


def check_embedder(path: str | Path, state: RegistryState, embedder: Embedder) -> None:
    """Make sure that a registry holds embeddings such as `embedder` makes.

    Raises:
        UsageError: it holds others; says the way out.
    """
    if embedder.fingerprint == state.fingerprint:
        return
    given, anew = embedder.head_file, f"kiridashi classes rebuild --store {shlex.quote(str(path))}"
    if state.head is not None and given is None:
        why = (
            f"its classes were made with the embedding head {state.head}; name it: "
            f"--head {shlex.quote(state.head)}; or embed the stored samples anew without it: {anew}"
        )
    elif state.head is not None:
        why = (
            f"its classes were made with the embedding head {state.head} (embeddings "
            f"{state.fingerprint[:12]}), not with {given} as it is now ({embedder.fingerprint[:12]}); use "
            f"that one, or embed the stored samples anew: {anew} --head {shlex.quote(str(given))}"
        )
    elif given is not None:
        why = (
            "its classes were made without an embedding head of your own; leave --head out, or embed the "
            f"stored samples anew with it: {anew} --head {shlex.quote(str(given))}"
        )
    else:
        # The name alone may be the same: other weights make other embeddings too.
        why = (
            f"its classes were made with model {state.model!r} (embeddings {state.fingerprint[:12]}), not "
            f"with {embedder.model_name!r} as it is here ({embedder.fingerprint[:12]}); use that model, "
            f"or embed the stored samples anew: {anew}"
        )
    raise UsageError(one_line(f"{path}: {why}"))


def classifier_of(state: RegistryState) -> CosineClassifier:
    """The rows of all classes and the background of a state; empty for a registry without classes."""
    made = CosineClassifier(state.width)
    # Copies: torch warns of arrays that are read-only, as those of a state are.
    for name, each in state.classes.items():
        made = made.with_class(name, np.array(each.shots))
    return made.with_background(np.array(state.background)) if len(state.background) else made


def thresholds_of(state: RegistryState) -> dict[str, float]:
    """Least cosine by class name, for classes that have one of their own."""
    return {name: each.threshold for name, each in state.classes.items() if each.threshold is not None}
