"""Where a model's files are on this machine, and how they get there."""

from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from kiridashi.core.errors import ModelUnavailableError, UsageError
from kiridashi.models.catalogue import ModelCard, find_card
from kiridashi.models.folder import INDEX, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator

# Configuration and safetensors only: never pickles, never code.
WANTED = ("config.json", "preprocessor_config.json", WEIGHTS, INDEX, "model-*.safetensors")

ANSWER_SECONDS = 10.0
HTTP_LIBRARIES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})


def shipped_file(card: ModelCard) -> Path:
    """The weights inside the installed package."""
    return Path(str(files(__package__))) / "weights" / card.place


def cached_folder(card: ModelCard) -> Path | None:
    """The folder with a hub model's files, or None when they are not all on this machine."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(card.place, "config.json")
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    if (folder / WEIGHTS).is_file() or (folder / INDEX).is_file():
        return folder
    return None


def fetch(name: str, *, progress: bool = True) -> Path:
    """Fetch a hub model's configuration and weights into the hub's cache.

    Args:
        name: of the catalogue.
        progress: whether a progress bar is drawn on standard error.

    Returns:
        The folder with the files. Files that are here already are kept, also when the hub cannot be asked
        whether newer ones exist.

    Raises:
        UsageError: no such model, or one that needs no fetching.
        ModelUnavailableError: no network, or the hub refuses.
    """
    card = find_card(name)
    if card.kind != "hub":
        raise UsageError(f"{name} needs no fetching: its files are in {_home(card)}")
    return fetch_card(card, progress=progress)


def fetch_card(card: ModelCard, *, progress: bool) -> Path:
    """`fetch` for the card of a hub model."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError

    reason = "the download is incomplete"
    cause: Exception | None = None
    try:
        # snapshot_download asks this too, but waits for ever on a server that does not answer.
        HfApi().model_info(card.place, timeout=ANSWER_SECONDS)
        with _progress_bars(progress):
            snapshot_download(card.place, allow_patterns=list(WANTED))
    except Exception as error:
        # The hub's client lets its HTTP library's errors through, and which library that is varies.
        is_transport = type(error).__module__.partition(".")[0] in HTTP_LIBRARIES
        if not is_transport and not isinstance(error, OSError | HFValidationError | RuntimeError):
            raise
        reason = "no connection" if is_transport else _reason(error)
        cause = error
    # What is here already is good enough; a failed refresh is no reason to refuse it.
    folder = cached_folder(card)
    if folder is None:
        raise _unavailable(card, reason) from cause
    return folder


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids the network"
    if isinstance(error, GatedRepoError | RepositoryNotFoundError):
        return "the hub does not give them out"
    if isinstance(error, LocalEntryNotFoundError | ConnectionError | TimeoutError):
        return "no connection"
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _unavailable(card: ModelCard, reason: str) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{card.name}: its files ({card.place} on huggingface.co) are not on this machine "
        f"and cannot be fetched: {reason}\n"
        f"with a network, type: kiridashi models fetch {card.name} "
        "(without one: --model compact, or a copied folder)"
    )


def _home(card: ModelCard) -> str:
    return "the package" if card.kind == "package" else card.place


@contextmanager
def _progress_bars(shown: bool) -> "Iterator[None]":
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if shown or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
