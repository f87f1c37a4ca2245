import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kiridashi.core.errors import InputError
from kiridashi.models import doctor, loading
from kiridashi.models.catalogue import cards
from kiridashi.models.doctor import Finding, diagnose


def find(findings: list[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def test_this_installation_is_sound() -> None:
    findings = diagnose()
    assert not [finding for finding in findings if finding.state == "wrong"]
    assert {"kiridashi", "python", "torch", "transformers", "numpy", "networks", "device", "threads"} <= {
        finding.name for finding in findings
    }
    assert {card.name for card in cards().values()} <= {finding.name for finding in findings}
    assert "sha256 as shipped, loads" in find(findings, "compact").detail
    assert find(findings, "torch").detail == importlib.metadata.version("torch")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        importlib.metadata, "requires", lambda name: ["no-such-thing>=1.2", 'av>=14; extra == "video"']
    )
    (found,) = doctor._libraries()
    assert found == Finding("no-such-thing", "wrong", "is not installed", 'pip install "no-such-thing>=1.2"')


@pytest.mark.parametrize(
    ("version", "oldest", "state"),
    [
        ("2.13.0+cpu", "2.6", "ok"),
        ("2.6", "2.6", "ok"),
        ("2.5.9", "2.6", "wrong"),
        ("2.10", "2.9.1", "ok"),
        ("5.20.0rc1", "5.20", "ok"),
    ],
)
def test_versions_are_compared_as_numbers(
    monkeypatch: pytest.MonkeyPatch, version: str, oldest: str, state: str
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    assert doctor._library("torch", oldest).state == state


def test_a_broken_torchvision_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = doctor._torchvision()
    assert found.state == "wrong"
    assert "operator torchvision::nms does not exist" in found.detail
    assert found.advice.startswith("pip uninstall torchvision")
    assert "torchvision" not in sys.modules


def test_a_working_torchvision_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "torchvision.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = doctor._torchvision()
    assert found.state == "ok"


@pytest.mark.parametrize(
    ("threads", "policy", "state", "advice"),
    [
        (1, "", "ok", ""),
        (2, "PASSIVE", "ok", ""),
        (2, "passive", "ok", ""),
        (2, "", "note", "OMP_WAIT_POLICY=PASSIVE"),
        (2, "ACTIVE", "note", "OMP_WAIT_POLICY=PASSIVE"),
        (9, "PASSIVE", "note", "OMP_NUM_THREADS=4"),
    ],
)
def test_threads_that_spin_or_outnumber_the_cores_get_a_hint(
    monkeypatch: pytest.MonkeyPatch, threads: int, policy: str, state: str, advice: str
) -> None:
    monkeypatch.setattr(doctor, "_cores", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    (found,) = doctor._threads()
    assert found.state == state
    assert advice in found.advice
    assert bool(advice) == bool(found.advice)


@pytest.mark.parametrize(("free", "state"), [(100 << 30, "ok"), (1 << 30, "note")])
def test_little_space_gets_a_hint(monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free))
    monkeypatch.setattr(doctor, "_free_memory", lambda: free)
    for found in (*doctor._disk(), *doctor._memory()):
        assert found.state == state
        assert bool(found.advice) == (state == "note")


def test_a_damaged_model_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(card: object) -> bytes:
        raise InputError("compact.safetensors: damaged\ntype this")

    monkeypatch.setattr(loading, "read_shipped", refuse)
    assert find(list(doctor._models()), "compact") == Finding(
        "compact", "wrong", "compact.safetensors: damaged", "type this"
    )


def test_a_check_that_breaks_becomes_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(*args: object, **kwargs: object) -> None:
        raise subprocess.TimeoutExpired("python", 120)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(subprocess, "run", too_slow)
    found = find(diagnose(), "torchvision")
    assert found.state == "wrong"
    assert found.detail.startswith("could not be looked at: TimeoutExpired: ")
