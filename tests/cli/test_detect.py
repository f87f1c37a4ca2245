import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kiridashi.classes import sighting
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.proposals import ProposalSettings, propose
from kiridashi.classes.registry import Registry, Sample, Statistic
from kiridashi.core.errors import UsageError
from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Mask
from kiridashi.data.lines import read_jsonl
from kiridashi.data.pictures import read_picture, write_picture
from kiridashi.demo import coins, without_coins
from kiridashi.models.grid import GridSettings
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel

Run = Callable[..., SimpleNamespace]


@dataclass
class Shop:
    """A site with a registry of two classes: `disc`, and `灰` that demands more than anything offers.

    Attributes:
        photos: the folder of targets.
        store: the registry.
        out: for results.
    """

    photos: Path
    store: Path
    out: Path

    def words(self, *more: str) -> list[str]:
        """Of a command that does the three photos."""
        command = ["detect", str(self.photos), "--store", str(self.store), "--out", str(self.out)]
        return [*command, "--grid", "4", *more]

    def lines(self) -> dict[str, dict[str, Any]]:
        return {line["stem"]: line for line in read_jsonl(self.out / "results.jsonl")}

    def statistics(self) -> list[Statistic]:
        with Registry.open(self.store) as registry:
            return registry.statistics()


@pytest.fixture
def shop(site: Any, random_model: PromptableModel, monkeypatch: pytest.MonkeyPatch) -> Shop:
    # Thresholds that some masks of random weights pass.
    loose = partial(GridSettings, predicted_iou=0.3, stability=0.3)
    monkeypatch.setattr("kiridashi.models.grid.GridSettings", loose)
    made = Shop(site.photos, site.root / "site.kiridashi", site.root / "found")
    embedder = Embedder(random_model)
    picture = read_picture(site.photos / "two.png")
    settings = ProposalSettings(loose(points_per_side=4))
    found = propose(random_model, picture, settings, embedder)
    # The two proposals that have the least in common are the shots.
    vectors = torch.stack([each.embedding for each in found])
    places = divmod(int((vectors @ vectors.T).argmin()), len(found))
    with Registry.create(made.store, "compact", embedder.fingerprint, embedder.width) as registry:
        for name, place, threshold in zip(("disc", "灰"), places, (0.0, 1.5), strict=True):
            shot = Sample(picture, found[place].mask, found[place].embedding.numpy())
            registry.add(name, [shot], threshold=threshold)
    return made


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Counts the pictures that are looked at; `stop_after` of them, Ctrl-C is pressed."""
    told = SimpleNamespace(names=[], stop_after=None)
    plain = sighting.sight

    def watched(detector: Any, picture: Any, *more: Any) -> sighting.Sighting:
        if told.stop_after is not None and len(told.names) >= told.stop_after:
            raise KeyboardInterrupt
        told.names.append(picture.name)
        return plain(detector, picture, *more)

    monkeypatch.setattr(sighting, "sight", watched)
    return told


def test_writes_what_it_promises(shop: Shop, run: Run) -> None:
    told = run(*shop.words())
    assert told.code == 0, told.err
    assert told.err == ""
    for folder, ending in (("masks", "png"), ("overlays", "jpg")):
        names = sorted(path.name for path in (shop.out / folder).iterdir())
        assert names == [f"{stem}.{ending}" for stem in ("none", "one", "two")]
    lines = shop.lines()
    objects = sum(len(line["instances"]) for line in lines.values())
    assert objects > 0
    assert f"disc {objects}" in told.out
    assert "report.html" in told.out
    drawn = np.asarray(Image.open(shop.out / "masks" / "two.png")) > 0
    expected = np.zeros_like(drawn)
    for each in lines["two"]["instances"]:
        expected |= Mask.from_rle(each["mask"]).to_array()
    assert np.array_equal(drawn, expected)
    assert "disc" in (shop.out / "report.html").read_text(encoding="utf-8")
    settings = json.loads((shop.out / "run.json").read_text())["settings"]
    assert settings["registry state"].startswith("event 3 (")


def test_categories_are_the_classes_of_the_registry(shop: Shop, run: Run) -> None:
    run(*shop.words())
    document = json.loads((shop.out / "annotations.json").read_text())
    named = {each["name"]: each["id"] for each in document["categories"]}
    with Registry.open(shop.store) as registry:
        assert named == {name: each.identity for name, each in registry.state().classes.items()}
    assert {each["category_id"] for each in document["annotations"]} == {named["disc"]}
    assert all(0 <= each["score"] <= 1 for each in document["annotations"])


def test_what_is_doubtful_is_shown_and_not_counted(shop: Shop, run: Run) -> None:
    told = json.loads(run(*shop.words("--json")).out)
    lines = shop.lines()
    doubtful = [each for line in lines.values() for each in line.get("doubtful", [])]
    assert doubtful
    assert {each["label"] for each in doubtful} == {"灰"}
    assert told["doubtful"] == len(doubtful)
    assert told["instances"] == sum(told["classes"].values()) == told["classes"]["disc"]
    annotations = json.loads((shop.out / "annotations.json").read_text())["annotations"]
    assert len(annotations) == told["instances"]
    assert "灰?" in (shop.out / "report.html").read_text(encoding="utf-8")


def test_statistics_go_into_the_registry(shop: Shop, run: Run) -> None:
    run(*shop.words())
    rows, lines = shop.statistics(), shop.lines()
    with Registry.open(shop.store) as registry:
        identity = registry.state().classes["disc"].identity
    for stem, line in lines.items():
        own = [row for row in rows if row.picture == f"{stem}.png"]
        scores = sorted(round(row.score, 6) for row in own if row.score is not None)
        assert scores == sorted(each["score"] for each in line["instances"])
        (whole,) = [row for row in own if row.class_name is None]
        assert whole.unknown >= len(line.get("doubtful", []))
        assert {row.identity for row in own if row.class_name} <= {identity}
        assert all(row.distance is not None and 0 <= row.distance <= 1 for row in own if row.class_name)


def test_no_record_leaves_the_registry_alone(shop: Shop, run: Run) -> None:
    assert run(*shop.words("--no-record")).code == 0
    assert shop.statistics() == []


def test_a_least_score_drops_objects_but_no_statistics(shop: Shop, run: Run) -> None:
    told = run(*shop.words("--min-score", "1", "--json"))
    assert json.loads(told.out)["instances"] == 0
    assert any(row.score is not None for row in shop.statistics())


@pytest.mark.parametrize("score", ["nan", "1.5"])
def test_a_least_score_is_a_share(shop: Shop, run: Run, score: str) -> None:
    assert run(*shop.words("--min-score", score)).code == 2
    assert not shop.out.exists()


def test_a_bad_target_does_not_spoil_the_others(shop: Shop, run: Run) -> None:
    (shop.photos / "empty.jpg").write_bytes(b"")
    told = run(*shop.words("--quiet"))
    assert (told.code, told.out) == (3, "")
    assert "empty.jpg: the file is empty" in told.err
    assert {stem for stem, line in shop.lines().items() if line["error"] is None} == {"none", "one", "two"}
    assert {row.picture for row in shop.statistics()} == {"none.png", "one.png", "two.png"}


def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(shop: Shop, run: Run, seen: Any) -> None:
    seen.stop_after = 2
    told = run(*shop.words())
    assert told.code == 130
    assert "2 of 3" in told.err
    assert "--resume" in told.err
    assert len(read_jsonl(shop.out / "results.jsonl")) == 2
    seen.stop_after = None
    assert run(*shop.words("--resume")).code == 0
    assert sorted(seen.names) == ["none.png", "one.png", "two.png"]
    assert set(shop.lines()) == {"none", "one", "two"}
    # Nothing is counted twice.
    assert sorted(row.picture for row in shop.statistics() if row.class_name is None) == sorted(seen.names)


def test_resume_refuses_another_state_of_the_registry(shop: Shop, run: Run) -> None:
    assert run(*shop.words()).code == 0
    assert run(*shop.words()).code == 2
    with Registry.open(shop.store, writable=True) as registry:
        registry.rename("disc", "circle")
    told = run(*shop.words("--resume"))
    assert told.code == 2
    assert "registry state was event 3 (" in told.err
    assert "now event 4 (" in told.err
    assert run(*shop.words("--overwrite")).code == 0
    assert "circle" in (shop.out / "annotations.json").read_text()


def test_resume_refuses_another_registry_at_the_same_event(shop: Shop, run: Run) -> None:
    assert run(*shop.words()).code == 0
    with Registry.open(shop.store) as old:
        state = old.state()
        samples = [
            Sample(old.picture(each.digest), each.mask, each.embedding) for each in old.samples("disc")
        ]
    shop.store.unlink()
    with Registry.create(shop.store, state.model, state.fingerprint, state.width) as registry:
        registry.add("round", samples)
        registry.add("disc", samples)
    told = run(*shop.words("--resume"))
    assert told.code == 2
    assert "registry state was event 3 (" in told.err


def test_resume_refuses_another_model(
    shop: Shop, run: Run, random_model: PromptableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*shop.words()).code == 0
    other = PromptableModel(random_model.net, replace(random_model.card, name="other"))
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: other)
    told = run(*shop.words("--resume"))
    assert told.code == 2
    assert "model was tiny-compact, now other" in told.err


def test_a_model_with_other_embeddings_is_refused(
    shop: Shop,
    run: Run,
    make_compact: Callable[..., PromptableModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = make_compact(seed=5)
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: other)
    told = run(*shop.words())
    assert told.code == 2
    assert "kiridashi classes rebuild" in told.err
    assert not shop.out.exists()


def test_a_registry_without_classes_says_what_to_do(shop: Shop, run: Run) -> None:
    with Registry.open(shop.store, writable=True) as registry:
        for name in ("disc", "灰"):
            registry.remove(name)
    told = run(*shop.words())
    assert told.code == 2
    assert "kiridashi classes add" in told.err
    assert not shop.out.exists()


def test_a_missing_registry_says_what_to_do(shop: Shop, run: Run) -> None:
    shop.store.unlink()
    told = run(*shop.words())
    assert told.code == 2
    assert "kiridashi classes add" in told.err
    assert not shop.store.exists()


def test_a_registry_that_cannot_be_written_is_told_once(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = os.access

    def access(path: Any, mode: int) -> bool:
        return plain(path, mode) and not (mode & os.W_OK and Path(path) in (shop.store, shop.store.parent))

    monkeypatch.setattr(os, "access", access)
    told = run(*shop.words())
    assert told.code == 0
    assert told.err.count("not recorded") == 1
    assert "read-only" in told.err
    assert len(shop.lines()) == 3
    assert run(*shop.words("--no-record", "--overwrite")).err == ""


def test_a_failure_to_record_is_told_once(shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise UsageError("the disk is full")

    monkeypatch.setattr(Registry, "record_statistics", full)
    told = run(*shop.words())
    assert told.code == 0
    assert told.err.count("not recorded: the disk is full") == 1
    assert len(shop.lines()) == 3


def test_a_change_at_the_very_moment_is_refused(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kiridashi.classes import opening

    plain = opening.open_detector

    def late(*words: Any, **more: Any) -> Any:
        with closing(Registry.open(shop.store, writable=True)) as registry:
            registry.remove("灰")
        return plain(*words, **more)

    monkeypatch.setattr(opening, "open_detector", late)
    told = run(*shop.words())
    assert told.code == 2
    assert "changed at this very moment" in told.err


def test_an_untrained_decoder_costs_no_earlier_results(
    shop: Shop, run: Run, random_model: PromptableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*shop.words()).code == 0
    before = (shop.out / "results.jsonl").read_bytes()
    card = replace(random_model.card, trained=frozenset({"image_encoder"}))
    untrained = PromptableModel(random_model.net, card)
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: untrained)
    told = run(*shop.words("--overwrite"))
    assert told.code == 2
    assert "needs a trained mask decoder" in told.err
    assert (shop.out / "results.jsonl").read_bytes() == before


def test_the_report_speaks_japanese(shop: Shop, run: Run) -> None:
    assert run(*shop.words("--language", "ja")).code == 0
    assert "クラス別の結果" in (shop.out / "report.html").read_text(encoding="utf-8")
    assert "Known: en, ja" in run(*shop.words("--language", "jp")).err


def test_the_shipped_model_finds_coins_of_five_shots(tmp_path: Path, run: Run) -> None:
    scene, model = coins(), load_model("compact")
    embedder, shown = Embedder(model), scene.reference.picture
    store, out = tmp_path / "coins.kiridashi", tmp_path / "out"
    shots = split_components(scene.reference.mask.to_array())[:5]
    with Registry.create(store, "compact", embedder.fingerprint, embedder.width) as registry:
        vectors = embedder.embed(shown, shots).numpy()
        registry.add("coin", [Sample(shown, *pair) for pair in zip(shots, vectors, strict=True)])
    write_picture(tmp_path / "photos" / "coins.png", scene.target.pixels)
    write_picture(tmp_path / "photos" / "coffee.png", without_coins().pixels)
    told = run("detect", str(tmp_path / "photos"), "--store", str(store), "--out", str(out), "--json")
    assert told.code == 0, told.err
    lines = {line["stem"]: line for line in read_jsonl(out / "results.jsonl")}
    assert lines["coffee"]["instances"] == []
    found = [Mask.from_rle(each["mask"]) for each in lines["coins"]["instances"]]
    hits = sum(max((mask.iou(truth) for mask in found), default=0.0) > 0.5 for truth in scene.truth)
    assert hits >= 8
