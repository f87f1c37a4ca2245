import os
from pathlib import Path

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.data.cache_folder import VARIABLE, default_cache, open_cache, trim


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose environment says nothing of caches."""
    for name in (VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def test_the_environment_says_where(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_cache() == home / ".cache" / "kiridashi"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache() == home / ".cache" / "kiridashi"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert default_cache() == home / "xdg" / "kiridashi"
    monkeypatch.setenv(VARIABLE, str(home / "mine"))
    assert default_cache() == home / "mine"


def test_no_home_is_told_with_the_way_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(UsageError, match="--cache DIR"):
        default_cache()


def test_opening_makes_the_folder_and_leaves_nothing_in_it(home: Path) -> None:
    assert open_cache(home / "a" / "b") == home / "a" / "b"
    assert list((home / "a" / "b").iterdir()) == []
    assert open_cache() == home / ".cache" / "kiridashi"


def test_a_folder_that_cannot_be_written_is_told_with_the_way_out(home: Path) -> None:
    (home / "file").write_text("in the way")
    with pytest.raises(UsageError, match=r"cannot be kept here .*--cache DIR or \$KIRIDASHI_CACHE"):
        open_cache(home / "file" / "cache")


def test_the_oldest_go_when_it_is_full(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "middle", "old")):
        path = tmp_path / "necks" / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "necks" / "notes.txt").write_bytes(b"x" * 1000)
    trim(tmp_path, 300)
    assert len(list((tmp_path / "necks").iterdir())) == 4
    trim(tmp_path, 250)
    assert {path.stem for path in (tmp_path / "necks").iterdir()} == {"new", "middle", "notes"}
    open_cache(tmp_path, 0)
    assert [path.name for path in (tmp_path / "necks").iterdir()] == ["notes.txt"]
