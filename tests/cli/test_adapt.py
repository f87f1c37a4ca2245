import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kiridashi.adapt.budget import Budget
from kiridashi.adapt.memory import FOLDER, recall
from kiridashi.cli import adapt_priors
from kiridashi.data.masks import read_mask
from kiridashi.models.delta import Delta, DeltaCard, open_delta
from kiridashi.models.delta.opening import CARD_FILE, DELTA_FILE
from kiridashi.models.delta.parts import plain_parameters
from kiridashi.models.fingerprint import model_fingerprint
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.resuming import Resuming

Run = Callable[..., SimpleNamespace]
GAINS = ("--epochs", "4", "--learning-rate", "0.003")


@pytest.fixture
def data(tmp_path: Path, disc_site: Callable[..., Any]) -> Path:
    """A few-shot set of five discs."""
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    for seed in range(5):
        one = disc_site(seed, size=(60, 80))
        Image.fromarray(one.picture.pixels).save(tmp_path / "data" / "images" / f"{seed}.png")
        mask = one.mask.to_array().astype(np.uint8) * 255
        Image.fromarray(mask).save(tmp_path / "data" / "masks" / f"{seed}.png")
    return tmp_path / "data"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tiny_drawing: PromptableModel) -> PromptableModel:
    """A small network in place of every model, and priors that know little."""
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: tiny_drawing)
    flat = np.full((16, 16), 0.4, np.float32)
    monkeypatch.setattr(adapt_priors, "cross_fitted", lambda model, samples, seed: [flat] * len(samples))
    return tiny_drawing


def test_a_delta_with_its_card_and_samples(
    data: Path, small: PromptableModel, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "delta"
    told = run("adapt", str(data), "--out", str(out), "--seed", "1", *GAINS, "--json")
    assert told.code == 0, told.err
    document = json.loads(told.out)
    card = json.loads((out / CARD_FILE).read_text())
    assert document["gain"] == card["gain"]
    assert card["brought_something"] is True
    assert open_delta(out).card.fingerprint == model_fingerprint(small) == card["fingerprint"]
    assert len(recall(out / FOLDER)) == card["pictures"] == 3
    assert sorted(path.name for path in out.iterdir()) == [CARD_FILE, DELTA_FILE, FOLDER]


def test_going_on_from_a_delta(data: Path, small: PromptableModel, run: Run, tmp_path: Path) -> None:
    first, second = str(tmp_path / "a"), str(tmp_path / "b")
    assert run("adapt", str(data), "--out", first, "--seed", "1", *GAINS).code == 0
    told = run("adapt", str(data), "--out", second, "--continue", first, "--epochs", "1")
    assert told.code == 0, told.err
    card = json.loads((Path(second) / CARD_FILE).read_text())
    # Three kept by the first run, too few to hold any aside, and three of its own.
    assert card["pictures"] == 6
    assert "replayed" not in card["gain"]
    other = run("adapt", str(data), "--out", second + "2", "--continue", first, "--what", "neck")
    assert other.code == 2
    assert "--what decoder" in other.err


def test_no_gain_is_told_and_no_delta_written(
    data: Path, small: PromptableModel, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "delta"
    told = run("adapt", str(data), "--out", str(out), "--epochs", "1", "--learning-rate", "1e-12")
    assert told.code == 0, told.err
    assert "brought nothing" in told.out
    assert "no delta is written" in told.out
    assert sorted(path.name for path in out.iterdir()) == [CARD_FILE]
    refused = run(
        "cut", str(data / "images" / "0.png"), "--point", "9,9", "--out", "m.png", "--adapt", str(out)
    )
    assert refused.code == 2
    assert "brought no gain" in refused.err


def test_an_interrupted_run_goes_on(
    data: Path, small: PromptableModel, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, words = tmp_path / "delta", ["adapt", str(data), "--epochs", "2", "--out"]
    assert run(*words, str(tmp_path / "whole")).code == 0
    write = Resuming.write

    def write_and_stop(*args: Any) -> None:
        write(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(Resuming, "write", write_and_stop)
    assert run(*words, str(out)).code == 130
    monkeypatch.setattr(Resuming, "write", write)
    assert "add --resume" in run(*words, str(out)).err
    assert "other settings" in run(*words, str(out), "--resume", "--seed", "3").err
    assert run(*words, str(out), "--resume").code == 0
    cards = [json.loads((folder / CARD_FILE).read_text()) for folder in (out, tmp_path / "whole")]
    assert cards[0]["scores"] == pytest.approx(cards[1]["scores"])
    assert "--overwrite" in run(*words, str(out)).err


def test_wrong_use_is_told(data: Path, small: PromptableModel, run: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "delta")
    assert "Did you mean" in run("adapt", str(data), "--out", out, "--what", "decodr").err
    assert "--class" in run("adapt", str(data), "--out", out, "--class", "nothing").err
    assert "needs 3 pictures" in run("adapt", str(data), "--out", out, "--shots", "2").err
    (tmp_path / "file").write_text("x")
    assert "names a folder" in run("adapt", str(data), "--out", str(tmp_path / "file")).err
    both = run("adapt", str(data), "--out", out, "--resume", "--overwrite")
    assert "contradict" in both.err


def test_any_verb_takes_a_delta(data: Path, run: Run, tmp_path: Path) -> None:
    """The shipped model with a delta in its decoder draws another mask, and is named so."""
    base = load_model()
    # The last layer that every mask is made by, turned round: inside becomes outside.
    last = ("proj_out.weight", "proj_out.bias")
    with torch.no_grad():
        tensors = {
            name: -value if "hypernetworks" in name and name.endswith(last) else value.clone()
            for name, value in plain_parameters(base.net, "decoder").items()
        }
    delta = Delta(tensors, DeltaCard("decoder", "compact", model_fingerprint(base)))
    delta.save(tmp_path / "delta" / DELTA_FILE)
    x0, y0, x1, y1 = read_mask(data / "masks" / "0.png").box
    picture, words = str(data / "images" / "0.png"), ["--box", f"{x0},{y0},{x1},{y1}"]
    plain, adapted = tmp_path / "plain.png", tmp_path / "adapted.png"
    assert run("cut", picture, *words, "--out", str(plain)).code == 0
    told = run("cut", picture, *words, "--out", str(adapted), "--adapt", str(tmp_path / "delta"))
    assert told.code == 0, told.err
    assert f"compact@decoder-{delta.digest[:12]}" in told.out
    assert read_mask(plain) != read_mask(adapted)
    for verb in ("segment", "everything", "detect", "track", "diagnose clip"):
        assert "--adapt" in run(*verb.split(), "--help").out


def test_a_bad_picture_is_named_and_the_others_are_learned_from(
    data: Path, small: PromptableModel, run: Run, tmp_path: Path
) -> None:
    (data / "images" / "3.png").write_bytes(b"torn")
    words = ["adapt", str(data), "--epochs", "1", "--out"]
    told = run(*words, str(tmp_path / "a"), "--json")
    assert told.code == 3
    (left_out,) = json.loads(told.out)["failed"]
    assert (left_out["file"], "3.png" in left_out["error"]) == ("3", True)
    assert json.loads(told.out)["pictures"] == 2
    # So many as were asked for, of those that can be used.
    assert json.loads(run(*words, str(tmp_path / "b"), "--shots", "4", "--json").out)["pictures"] == 2
    for path in (data / "images").iterdir():
        path.write_bytes(b"torn")
    told = run(*words, str(tmp_path / "c"))
    assert (told.code, "no picture with a mask can be used" in told.err) == (2, True)


def test_going_on_elsewhere_does_as_it_was_begun(
    data: Path, small: PromptableModel, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch and copies follow from the memory that was free when it began, and not from what is free now."""
    out, words = tmp_path / "delta", ["adapt", str(data), "--epochs", "2", "--seed", "1", "--out"]
    write = Resuming.write

    def write_and_stop(*args: Any) -> None:
        write(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(Resuming, "write", write_and_stop)
    told = run(*words, str(out))
    assert (told.code, "epochs are done" in told.err) == (130, True)
    monkeypatch.setattr(Resuming, "write", write)
    monkeypatch.setattr("kiridashi.adapt.budget.this_machine", lambda: Budget(1, 0))
    assert run(*words, str(tmp_path / "poor")).code == 0
    assert run(*words, str(out), "--resume").code == 0
    settings = [
        json.loads((folder / CARD_FILE).read_text())["settings"] for folder in (out, tmp_path / "poor")
    ]
    assert settings[0]["lessons"] > settings[1]["lessons"]


def test_what_fails_before_it_begins_leaves_no_run_and_takes_nothing_away(
    data: Path, small: PromptableModel, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "delta"
    words = ["adapt", str(data), "--out", str(out), "--seed", "1"]
    assert run(*words, "--continue", str(tmp_path / "nowhere")).code == 2
    assert not out.exists()
    assert run(*words, *GAINS).code == 0
    before = (out / DELTA_FILE).read_bytes()
    assert run("adapt", str(tmp_path / "typo"), "--out", str(out), "--overwrite").code == 2
    assert (out / DELTA_FILE).read_bytes() == before
    # The folder of the pictures is no place for the samples that are kept.
    (data / FOLDER).mkdir()
    (data / FOLDER / "mine.png").write_bytes(b"mine")
    told = run("adapt", str(data), "--out", str(data), "--overwrite")
    assert (told.code, "no adapting wrote" in told.err) == (2, True)
    assert (data / FOLDER / "mine.png").is_file()


def test_a_delta_taken_for_a_model_or_given_twice(data: Path, run: Run, tmp_path: Path) -> None:
    base = load_model()
    delta = Delta(dict(plain_parameters(base.net, "decoder")), DeltaCard("decoder", "compact", "0" * 64))
    delta.save(tmp_path / "delta" / DELTA_FILE)
    folder = str(tmp_path / "delta")
    words = ["cut", str(data / "images" / "0.png"), "--point", "9,9", "--out", str(tmp_path / "m.png")]
    told = run(*words, "--model", folder)
    assert (told.code, "--adapt" in told.err) == (2, True)
    told = run(*words, "--model", f"compact@{folder}", "--adapt", folder)
    assert (told.code, "has a delta in it already" in told.err) == (2, True)
