"""From a registry's file and a model to what can be asked: the classifier, its thresholds and the detector."""

from pathlib import Path

from kiridashi.classes.classifier import CosineClassifier
from kiridashi.classes.detector import Detector, DetectorSettings
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.head import load_head
from kiridashi.classes.registry import Registry, RegistryState
from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.files import one_line
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel


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
        chosen = loaded(state.model if model is None else model)
        embedder = embedder_of(chosen, head)
        check_embedder(path, state, embedder)
        return registry, Detector(chosen, classifier_of(state), thresholds_of(state), settings, embedder)
    except BaseException:
        registry.close()
        raise


def open_registry(path: str | Path, *, writable: bool = False, fingerprint: str | None = None) -> Registry:
    """A registry that must be there already.

    Raises:
        InputError: no such file, or a damaged one.
        UsageError: made with another model than `fingerprint`, or it is to be written and cannot be.
    """
    if not Path(path).exists():
        raise InputError(
            one_line(
                f"{path}: no such file; `kiridashi classes add NAME --samples DIR --store FILE` makes a "
                "registry of classes"
            )
        )
    return Registry.open(path, writable=writable, fingerprint=fingerprint)


def loaded(model: PromptableModel | str) -> PromptableModel:
    """The model of a name, or the model itself.

    Raises:
        UsageError: no such name.
        ModelUnavailableError: its files are not here.
        InputError: its files are damaged.
    """
    return load_model(model) if isinstance(model, str) else model


def embedder_of(model: PromptableModel, head: str | Path | None = None) -> Embedder:
    """What makes a model's embeddings.

    Args:
        model: that draws the masks.
        head: file of the learned head; None: without one.

    Raises:
        InputError: the head is damaged or of another model.
    """
    plain = Embedder(model)
    if head is None:
        return plain
    learned = load_head(head)
    learned.check(plain.fingerprint, plain.width)
    return Embedder(model, learned)


def check_embedder(path: str | Path, state: RegistryState, embedder: Embedder) -> None:
    """Make sure that a registry holds embeddings such as `embedder` makes.

    Raises:
        UsageError: it holds others; says the way out.
    """
    if embedder.fingerprint == state.fingerprint:
        return
    # The name alone may be the same: a head or other weights make other embeddings too.
    raise UsageError(
        one_line(
            f"{path}: its classes were made with model {state.model!r} (embeddings "
            f"{state.fingerprint[:12]}), not with {embedder.eye.card.name!r} as it is here "
            f"({embedder.fingerprint[:12]}); use that model and head, or embed the stored samples anew: "
            f"kiridashi classes rebuild --store {path}"
        )
    )


def classifier_of(state: RegistryState) -> CosineClassifier:
    """The rows of all classes and the background of a state; empty for a registry without classes."""
    made = CosineClassifier(state.width)
    for name, each in state.classes.items():
        made = made.with_class(name, each.shots)
    return made.with_background(state.background) if len(state.background) else made


def thresholds_of(state: RegistryState) -> dict[str, float]:
    """Least cosine by class name, for classes that have one of their own."""
    return {name: each.threshold for name, each in state.classes.items() if each.threshold is not None}
