"""Processes that die while they write, and processes that write at once (see `writers.py`)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiridashi.classes.registry import EventKind, Registry
from kiridashi.core.errors import InputError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

SCRIPT = Path(__file__).with_name("writers.py")


def run(*arguments: str | Path | int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def acknowledged(folder: Path) -> dict[str, int]:
    lines = [line for file in folder.glob("acknowledged-*") for line in file.read_text().splitlines()]
    return {name: int(number) for number, name in (line.split() for line in lines)}


def check_whole(path: Path, promised: dict[str, int]) -> int:
    """Every promised event is there and no event is half there; how many there are."""
    with Registry.open(path, writable=True) as registry:
        registry.verify()
        events = registry.history()
        assert [event.id for event in events] == list(range(1, len(events) + 1))
        for event in events[1:]:
            assert event.kind is EventKind.ADD
            assert len(event.samples) == event.facts["shots"] + event.facts["background"] == 4
            assert event.embeddings.shape == (4, 64)
        identities = {each.name: each.identity for each in registry.state().classes.values()}
        assert promised.items() <= identities.items()
        assert len(identities) == len(events) - 1
        stored = registry.samples()
        assert len(stored) == 4 * len(identities)
        for digest in {sample.digest for sample in stored}:
            registry.picture(digest)
        registry.record_statistics([])
        return len(events)


def is_made(path: Path) -> bool:
    try:
        # Nobody is making it any more.
        Registry.open(path, wait_s=0).close()
    except InputError as error:
        if "empty" in str(error) or "no such file" in str(error):
            return False
        raise
    return True


def test_death_at_any_statement_leaves_whole_events(tmp_path: Path) -> None:
    # Some steps of the creation and of the first addition, all of the second, the first of the third.
    steps = [*range(1, 40, 4), *range(40, 57)]
    assert run("statements", tmp_path, ",".join(map(str, steps))).returncode == 0
    counts = []
    for step in steps:
        path, promised = tmp_path / f"{step}" / "store", acknowledged(tmp_path / f"{step}")
        if not is_made(path):
            # It died while the registry was made, which can then be made.
            assert not promised
            Registry.create(path, "compact", "f1", 64).close()
            assert check_whole(path, {}) == 1
            counts.append(0)
        else:
            counts.append(check_whole(path, promised))
            assert counts[-1] - 1 - len(promised) in (0, 1)
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3}


def test_death_at_random_moments_one_after_another(tmp_path: Path) -> None:
    assert run("moments", tmp_path, 15, 7).returncode == 0
    promised = acknowledged(tmp_path)
    assert len(promised) > 10
    # A death between commit and promise leaves one event more.
    assert 0 <= check_whole(tmp_path / "store", promised) - 1 - len(promised) <= 15


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    Registry.create(tmp_path / "store", "compact", "f1", 64).close()
    finished = run("together", tmp_path, 12, "abc")
    assert finished.returncode == 0, finished.stderr
    promised = acknowledged(tmp_path)
    assert len(promised) == 36
    assert check_whole(tmp_path / "store", promised) == 37


def test_of_two_processes_with_the_same_names_one_is_told(tmp_path: Path) -> None:
    Registry.create(tmp_path / "store", "compact", "f1", 64).close()
    finished = run("together", tmp_path, 1, "aa")
    assert finished.returncode == 1
    assert "there is a class named 'a0' already" in finished.stderr
    assert check_whole(tmp_path / "store", acknowledged(tmp_path)) == 2


def test_a_creation_race_has_one_winner(tmp_path: Path) -> None:
    assert run("together", tmp_path, 2, "abcd").returncode == 0
    assert check_whole(tmp_path / "store", acknowledged(tmp_path)) == 9
