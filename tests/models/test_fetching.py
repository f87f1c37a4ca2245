import socket
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import are_progress_bars_disabled

from kiridashi.core.errors import ModelUnavailableError, UsageError
from kiridashi.models import fetching
from kiridashi.models.catalogue import find_card
from kiridashi.models.fetching import cached_folder, fetch
from kiridashi.models.loading import load_model


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and a network that fails the test as soon as it is touched."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a test touched the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def fill_cache(tmp_path: Path, repository: str, *names: str) -> Path:
    home = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
    folder = home / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("a" * 40)
    for name in names:
        (folder / name).write_text("{}")
    return folder


def answer(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[str]:
    """Let the hub answer with an error or not at all; returns what it was asked for."""
    asked: list[str] = []

    def model_info(self: object, repo_id: str, timeout: float) -> None:
        asked.append(repo_id)
        assert timeout <= 10
        if error is not None:
            raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return asked


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionError("Name or service not known"), "no connection"),
        (LocalEntryNotFoundError("cannot find the snapshot"), "no connection"),
        (TimeoutError(), "no connection"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    ],
)
@pytest.mark.parametrize("name", ["sam2.1-tiny", "edgetam"])
def test_without_files_and_network_the_error_has_two_lines(
    monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, reason: str
) -> None:
    answer(monkeypatch, error)
    with pytest.raises(ModelUnavailableError) as caught:
        load_model(name)
    missing, advice = str(caught.value).split("\n")
    assert missing.startswith(f"{name}: its files (")
    assert missing.endswith(f"are not on this machine and cannot be fetched: {reason}")
    assert f"type: kiridashi models fetch {name}" in advice


def test_offline_mode_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailableError, match="HF_HUB_OFFLINE forbids the network\n"):
        load_model("sam2.1-large")


def test_an_error_of_the_http_library_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    transport_error = type("ConnectError", (Exception,), {"__module__": "httpx"})
    answer(monkeypatch, transport_error("unreachable"))
    with pytest.raises(ModelUnavailableError, match="no connection"):
        fetch("edgetam")


def test_a_programming_error_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, TypeError("a bug"))
    with pytest.raises(TypeError, match="a bug"):
        fetch("edgetam")


def test_fetch_asks_for_configuration_and_safetensors_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    patterns: list[str] = []

    def snapshot_download(repo_id: str, allow_patterns: list[str]) -> str:
        patterns.extend(allow_patterns)
        return str(fill_cache(tmp_path, repo_id, "config.json", "model.safetensors"))

    asked = answer(monkeypatch, None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    folder = fetch("edgetam", progress=False)
    assert asked == ["yonigozlan/EdgeTAM-hf"]
    assert cached_folder(find_card("edgetam")) == folder
    assert find_card("edgetam").is_cached
    assert patterns
    assert all(pattern.endswith((".json", ".safetensors")) for pattern in patterns)


def test_an_incomplete_download_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer(monkeypatch, None)
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda repo_id, **_: fill_cache(tmp_path, repo_id, "config.json"),
    )
    with pytest.raises(ModelUnavailableError, match="the download is incomplete"):
        fetch("edgetam")


def test_files_on_this_machine_are_used_without_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = fill_cache(tmp_path, "facebook/sam2.1-hiera-tiny", "config.json", "model.safetensors")
    answer(monkeypatch, ConnectionError())
    assert fetch("sam2.1-tiny") == folder


@pytest.mark.parametrize("present", [[], ["config.json"], ["model.safetensors"]])
def test_half_a_model_is_not_cached(tmp_path: Path, present: list[str]) -> None:
    fill_cache(tmp_path, "facebook/sam2.1-hiera-tiny", *present)
    assert not find_card("sam2.1-tiny").is_cached


def test_the_shipped_model_needs_no_fetching() -> None:
    with pytest.raises(UsageError, match="compact needs no fetching: its files are in the package"):
        fetch("compact")


def test_progress_bars_come_back_after_a_silent_fetch() -> None:
    before = are_progress_bars_disabled()
    with fetching._progress_bars(False):
        assert are_progress_bars_disabled()
    assert are_progress_bars_disabled() == before
