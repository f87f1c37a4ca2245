import copy
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kiridashi.classes.embedding import Embedder
from kiridashi.classes.registry import Registry, Statistic
from kiridashi.cli import main
from kiridashi.models.promptable import PromptableModel

Run = Callable[..., SimpleNamespace]
SIZE = (48, 64)
COLOURS = {"nut": (200, 40, 40), "bolt": (40, 60, 200), "washer": (190, 50, 60)}


@dataclass
class Shop:
    """A folder with samples of three classes and a place for their registry.

    Attributes:
        root: of it all.
        run: runs a command line.
        store: the registry; not made yet.
    """

    root: Path
    run: Run
    store: Path

    def samples(self, name: str, count: int = 2, seed: int = 0) -> Path:
        """A folder of `count` samples of a class."""
        folder = self.root / f"{name}-{seed}"
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng([seed, len(name)])
        for number in range(count):
            pixels = rng.integers(90, 130, (*SIZE, 3)).astype(np.uint8)
            x, y = (int(value) for value in rng.integers(4, 24, 2))
            mask = np.zeros(SIZE, np.uint8)
            mask[y : y + 16, x : x + 20] = 255
            pixels[mask > 0] = COLOURS[name]
            Image.fromarray(pixels).save(folder / f"{number}.png")
            Image.fromarray(mask).save(folder / f"{number}_mask.png")
        return folder

    def words(self, verb: str, *more: str) -> list[str]:
        return ["classes", verb, *more, "--store", str(self.store)]

    def do(self, verb: str, *more: str) -> SimpleNamespace:
        return self.run(*self.words(verb, *more))

    def json(self, verb: str, *more: str) -> dict[str, Any]:
        ran = self.do(verb, *more, "--json")
        assert ran.err == "" or ran.code
        found: dict[str, Any] = json.loads(ran.out)
        assert found["exit_code"] == ran.code
        return found

    def add(self, name: str, *more: str, count: int = 2, seed: int = 0) -> SimpleNamespace:
        return self.do("add", name, "--samples", str(self.samples(name, count, seed)), *more)

    def names(self) -> list[str]:
        return [one["name"] for one in self.json("list")["classes"]]


@pytest.fixture
def shop(tmp_path: Path, run: Run, random_model: PromptableModel) -> Shop:
    return Shop(tmp_path, run, tmp_path / "shop.kiridashi")


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user who owns nothing: root may write where nobody else may."""
    if os.getuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_class_is_added_listed_shown_and_remembered(shop: Shop) -> None:
    ran = shop.add("nut", "--author", "Mia", "--reason", "first part", count=5)
    assert (ran.code, ran.err) == (0, "")
    assert "class 'nut' added: 4 shots, 1 held aside, threshold 0." in ran.out
    assert "its own held-aside sample is named rightly" in ran.out
    assert f"kiridashi classes rollback 1 --store {shop.store}" in ran.out
    listed = shop.do("list").out.splitlines()
    assert listed[0].split() == ["class", "shots", "held", "aside", "threshold", "added"]
    assert listed[1].split()[:3] == ["nut", "4", "1"]
    assert listed[2].startswith("1 class, 0 background samples, model tiny-compact")
    shown = shop.do("show", "NUT").out
    assert "by Mia: first part" in shown
    assert shown.count("shot  ") == 4
    assert shown.count("held aside  4.png") == 1
    events = shop.json("history")["events"]
    assert [event["kind"] for event in events] == ["create", "add"]
    assert (events[1]["author"], events[1]["facts"]["shots"]) == ("Mia", 4)
    assert "added 'nut' (4 shots, 1 held aside)" in shop.do("history").out


def test_json_says_what_an_addition_did_to_the_others(shop: Shop) -> None:
    assert shop.add("nut", count=5).code == 0
    told = shop.json("add", "bolt", "--samples", str(shop.samples("bolt", 5)), "--all-shots")
    assert (told["shots"], told["held_aside"], told["event"]) == (5, 0, 3)
    names = [one["name"] for one in told["forgetting"]["classes"]]
    assert names == ["nut", "bolt"]
    assert 0 <= told["forgetting"]["drop"] <= 1
    assert told["failed"] == []


def test_a_change_that_harms_is_refused_with_what_it_would_do(shop: Shop) -> None:
    own = shop.samples("nut", 5)
    assert shop.do("add", "nut", "--samples", str(own), "--all-shots", "--validation", str(own)).code == 2
    assert shop.do("add", "nut", "--samples", str(own), "--validation", str(own)).code == 0
    # The very same samples under another name tie with the old ones at best; look-alikes take them all.
    words = ("add", "bolt", "--samples", str(shop.samples("bolt")), "--background", str(own))
    ran = shop.do(*words, "--fail-on-drop", "10")
    assert ran.code == 2
    assert "refused, nothing was changed: 'nut' would lose" in ran.err
    assert "taken for unknown" in ran.out
    assert "it would be" in ran.out
    assert shop.names() == ["nut"]
    told = shop.json(*words, "--fail-on-drop", "10")
    assert (told["added"], told["event"]) == (False, None)
    assert shop.do(*words, "--fail-on-drop", "100").code == 0


def test_bad_samples_are_named_and_the_class_is_made_of_the_others(shop: Shop) -> None:
    folder = shop.samples("nut", 3)
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(folder / "1_mask.png")
    (folder / "2.png").write_bytes(b"torn")
    ran = shop.do("add", "nut", "--samples", str(folder))
    assert ran.code == 3
    assert "1_mask.png is empty" in ran.err
    assert "2.png" in ran.err
    assert "1 shot, none held aside" in ran.out
    assert "note (number): one sample" in ran.out


def test_samples_without_any_object(shop: Shop) -> None:
    folder = shop.samples("nut", 2)
    for mask in folder.glob("*_mask.png"):
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(mask)
    ran = shop.do("add", "nut", "--samples", str(folder))
    assert (ran.code, ran.out) == (2, "")
    assert "no sample there can be used" in ran.err
    assert "is empty; mark the object" in ran.err
    assert not shop.store.exists()


def test_two_classes_of_one_name(shop: Shop) -> None:
    assert shop.add("nut").code == 0
    ran = shop.add("nut", seed=1)
    assert ran.code == 2
    assert "there is a class named 'nut' already" in ran.err
    assert "--more" in ran.err
    assert shop.do("add", "ＮＵＴ", "--samples", str(shop.samples("nut"))).code == 2
    ran = shop.add("nut", "--more", seed=1)
    assert ran.code == 0
    assert "added to 'nut': 2 shots" in ran.out
    assert shop.json("list")["classes"][0]["shots"] == 4
    assert shop.do("add", "nuts", "--more", "--samples", str(shop.samples("nut"))).code == 2


def test_samples_that_the_class_has_already_are_left_out(shop: Shop) -> None:
    assert shop.add("nut", count=5).code == 0
    ran = shop.add("nut", "--more", count=5)
    assert ran.code == 2
    assert "class 'nut' has all of these samples already; nothing was changed" in ran.err
    ran = shop.add("nut", "--more", count=7)
    assert ran.code == 3
    assert "added to 'nut': 2 shots" in ran.out
    assert ran.err.count("it is a sample of 'nut' already; it counts once") == 5
    assert shop.json("list")["classes"][0]["shots"] == 6


def test_one_thing_under_two_names_is_told(shop: Shop) -> None:
    assert shop.add("nut", count=3).code == 0
    ran = shop.do("add", "bolt", "--samples", str(shop.samples("nut", 3)))
    assert ran.code == 0
    assert "note (other classes): 3 objects given here are known as 'nut'" in ran.out
    told = shop.json("add", "bolt", "--more", "--background", str(shop.samples("nut", 3)))
    assert [one["about"] for one in told["remarks"]] == ["other classes"] * 2
    for name, remark in zip(("bolt", "nut"), told["remarks"], strict=True):
        assert f"3 objects given as background here are known as '{name}'" in remark["text"]


def test_look_alikes_alone_are_added_to_a_class(shop: Shop) -> None:
    assert shop.add("nut", count=3).code == 0
    before = shop.json("list")["classes"]
    words = ("add", "nut", "--more", "--background", str(shop.samples("bolt", 2)))
    assert "added to 'nut': 2 as background, threshold" in shop.do(*words).out
    assert "has all of these samples already" in shop.do(*words).err
    assert shop.json("list")["classes"] == before
    # Without a mask everything in a picture is meant, and the random model finds nothing in it.
    unmarked = shop.samples("washer", 1) / "0.png"
    unmarked.with_name("0_mask.png").unlink()
    ran = shop.do("add", "nut", "--more", "--background", str(unmarked))
    assert ran.code == 2
    assert "nothing that might be an object was found in the pictures of --background" in ran.err
    assert "more samples of 'nut' (2 background)" in shop.do("history").out
    for wrong in (
        ("add", "nut"),
        ("add", "nut", "--more"),
        ("add", "bolt", "--background", str(shop.samples("bolt"))),
    ):
        ran = shop.do(*wrong)
        assert ran.code == 2
        assert "name the samples with --samples DIR" in ran.err


@pytest.mark.parametrize("name", ["", " ", "background", "a\nb", "x" * 101])
def test_names_that_no_class_can_have(shop: Shop, name: str) -> None:
    ran = shop.do("add", name, "--samples", str(shop.samples("nut")))
    assert ran.code == 2
    assert "name" in ran.err
    assert not shop.store.exists()


@pytest.mark.parametrize(
    "verb", ["list", "history", "show nut", "remove nut", "rebuild", "monitor", "checklist"]
)
def test_a_registry_that_is_not_there(shop: Shop, verb: str) -> None:
    ran = shop.do(*verb.split())
    assert ran.code == 2
    assert "no such file; `kiridashi classes add NAME" in ran.err
    assert not shop.store.exists()


@pytest.mark.parametrize("verb", ["list", "rename nut Mutter", "rollback 1", "monitor", "add bolt"])
@pytest.mark.parametrize("damage", ["other", "cut", "empty"])
def test_a_corrupt_registry_is_told_and_left_alone(shop: Shop, verb: str, damage: str) -> None:
    assert shop.add("nut").code == 0
    whole = shop.store.read_bytes()
    torn = {"other": b"SQLite it is not\n" * 300, "cut": whole[: len(whole) // 2], "empty": b""}[damage]
    shop.store.write_bytes(torn)
    words = verb.split()
    if words[0] == "add":
        words += ["--samples", str(shop.samples("bolt"))]
    ran = shop.do(*words)
    assert ran.code == 2
    assert ran.err.startswith(f"kiridashi: error: {shop.store}: ")
    assert "Traceback" not in ran.err
    assert shop.store.read_bytes() == torn


def test_a_read_only_disk(shop: Shop) -> None:
    if not hasattr(os, "setresuid"):
        pytest.skip("needs Linux to give up rights")
    assert shop.add("nut").code == 0
    samples = shop.samples("bolt")
    for folder in (*reversed(shop.root.parents), shop.root):
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to(shop.root.parents[2]):
            folder.chmod(0o755)
    shop.root.chmod(0o555)
    try:
        with without_rights():
            ran = shop.do("add", "bolt", "--samples", str(samples))
            removed = shop.do("remove", "nut")
            listed = shop.do("list")
            new = shop.run(
                "classes", "add", "nut", "--samples", str(samples), "--store", str(shop.root / "deep" / "b")
            )
    finally:
        shop.root.chmod(0o755)
    for one in (ran, removed, new):
        assert one.code == 2
        assert "read-only; copy it to a folder that you may write to" in one.err
    assert listed.code == 0
    assert shop.names() == ["nut"]


def _run_in_child(words: Sequence[str]) -> None:
    sys.exit(main([*words, "--quiet"]))


@pytest.mark.skipif(sys.platform != "linux", reason="children share the small model by fork")
@pytest.mark.parametrize("fresh", [True, False])
def test_two_processes_that_add_at_once_both_succeed(shop: Shop, fresh: bool) -> None:
    if not fresh:
        assert shop.add("washer", count=5).code == 0
    fork = multiprocessing.get_context("fork")
    children = [
        fork.Process(
            target=_run_in_child, args=(shop.words("add", name, "--samples", str(shop.samples(name, 5))),)
        )
        for name in ("nut", "bolt")
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0, 0]
    assert sorted(shop.names()) == ["bolt", "nut"] + ([] if fresh else ["washer"])
    with Registry.open(shop.store) as registry:
        registry.verify()
        assert len(registry.samples()) == 10 + (0 if fresh else 5)


def test_remove_rename_and_the_way_back(shop: Shop) -> None:
    for name in ("nut", "bolt"):
        assert shop.add(name, count=5).code == 0
    ran = shop.do("rename", "nut", "Mutter", "--reason", "German")
    assert "class 'nut' is now called 'Mutter'" in ran.out
    assert shop.do("rename", "bolt", "MUTTER").code == 2
    ran = shop.do("remove", "mutter")
    assert (ran.code, shop.names()) == (0, ["bolt"])
    assert "held-aside samples of the other class" in ran.out
    ran = shop.do("remove", "bold")
    assert ran.code == 2
    assert "Did you mean 'bolt'?" in ran.err
    ran = shop.do("rollback", "3")
    assert "back at the state after event 3: 2 classes (nut, bolt)" in ran.out
    assert shop.names() == ["nut", "bolt"]
    assert shop.do("rollback", "99").code == 2
    told = shop.do("history").out
    for line in ("renamed 'nut' to 'Mutter' - taken back", "German", "removed 'Mutter' - taken back"):
        assert line in told
    assert "went back to event 3" in told
    assert told.count("taken back") == 2
    taken = [one["taken_back"] for one in shop.json("history")["events"]]
    assert taken == [False, False, False, True, True, False]


def test_another_model_is_refused_and_rebuild_is_the_way_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, make_compact: Callable[..., PromptableModel]
) -> None:
    assert shop.add("nut", "--background", str(shop.samples("washer", 1)), count=5).code == 0
    assert "nothing to do" in shop.do("rebuild").out
    other = make_compact(seed=1)
    assert Embedder(other).fingerprint != shop.json("list")["fingerprint"]
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: other)
    ran = shop.add("bolt")
    assert ran.code == 2
    assert f"kiridashi classes rebuild --store {shop.store}" in ran.err
    assert shop.do("check", str(shop.samples("nut").parent)).code == 2
    told = shop.json("rebuild")
    assert (told["samples"], told["event"]) == (6, 3)
    listed = shop.json("list")
    assert listed["fingerprint"] == Embedder(other).fingerprint
    assert listed["classes"][0]["threshold"] is not None
    assert shop.add("bolt").code == 0


def test_check_names_objects_of_today(shop: Shop) -> None:
    for name in ("nut", "bolt"):
        assert shop.add(name).code == 0
    today = shop.root / "today"
    today.mkdir()
    for name in ("nut", "washer"):
        shop.samples(name, 3, seed=9).rename(today / name)
    told = shop.json("check", str(today))
    assert {one["name"]: one["objects"] for one in told["classes"]} == {"nut": 3, "bolt": 0}
    assert (told["others"]["objects"], told["others"]["names"]) == (3, ["washer"])
    assert told["in_known_pictures"] == 0
    ran = shop.do("check", str(today))
    assert "not in the data: bolt" in ran.out
    assert "3 objects of other things (washer)" in ran.out
    # The very pictures that it was made from.
    again = shop.root / "again"
    again.mkdir()
    (shop.root / "nut-0").rename(again / "nut")
    assert "so these figures flatter" in shop.do("check", str(again)).out
    assert shop.do("check", str(shop.root / "bolt-0")).code == 2


def test_monitor_shows_a_drift_and_draws_it(shop: Shop) -> None:
    assert shop.add("nut").code == 0
    assert "nothing was recorded" in shop.do("monitor").out
    with Registry.open(shop.store, writable=True) as registry:
        identity = registry.state().classes["nut"].identity
        start = datetime.now(UTC)
        rows = []
        for number in range(60):
            time, digest = start + timedelta(minutes=number), f"{number:064x}"
            score = 0.9 - 0.3 * (number >= 30) + 0.001 * (number % 7)
            rows.append(Statistic(time, "p.png", digest, "nut", score, 0, 0.2, identity))
            rows.append(Statistic(time, "p.png", digest, None, None, unknown=1))
        registry.record_statistics(rows)
    plot = shop.root / "drift.svg"
    ran = shop.do("monitor", "--plot", str(plot))
    assert ran.code == 0
    assert "0.90 -> 0.60" in ran.out
    assert "look at nut: less sure, or less like the samples, than at first" in ran.out
    assert "unknown things in 60 pictures: 50 % then, 50 % now: steady" in ran.out
    assert plot.read_text().startswith("<svg")
    assert shop.do("monitor", "--plot", str(shop.root / "drift.png")).code == 2
    assert shop.json("monitor")["classes"][0]["score"]["verdict"] == "lower"


def test_checklist_of_a_folder_and_of_a_registry(shop: Shop) -> None:
    folder = shop.samples("nut", 1)
    ran = shop.run("classes", "checklist", "nut", "--samples", str(folder))
    assert ran.code == 0
    assert "missing   number" in ran.out
    assert "look-alikes" in ran.out
    assert shop.add("nut", count=5).code == 0
    assert shop.add("bolt", count=5).code == 0
    told = shop.json("checklist")
    assert list(told["classes"]) == ["nut", "bolt"]
    assert {"level", "about", "text"} == set(told["classes"]["nut"][0])
    assert list(shop.json("checklist", "bolt")["classes"]) == ["bolt"]
    assert shop.run("classes", "checklist").code == 2
    assert shop.do("checklist", "--samples", str(folder)).code == 2


def test_quiet_says_nothing(shop: Shop) -> None:
    assert shop.add("nut", "--quiet").out == ""
    assert shop.do("rename", "nut", "Mutter", "-q").out == ""
    assert shop.do("remove", "Mutter", "-q").out == ""
    assert shop.do("rollback", "2", "-q").out == ""


def test_listings_load_no_torch(tmp_path: Path) -> None:
    import subprocess

    with Registry.create(tmp_path / "r", "compact", "f1", 3):
        pass
    code = (
        "import sys; from kiridashi.cli import main; "
        "main(['classes', 'list', '--store', sys.argv[1]]); sys.exit('torch' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "r")], check=False, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("no class yet; kiridashi classes add NAME --samples DIR --store ")


def test_train_base_writes_what_helps(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from kiridashi.classes import base_training
    from kiridashi.classes.base_training import BaseOptions, BaseResult, CocoSet, Gain, Head
    from kiridashi.classes.base_training.learning import Learned
    from kiridashi.classes.base_training.splitting import ClassSplit
    from kiridashi.classes.head import HeadFacts

    folder = shop.samples("nut", 2)
    outline = [[4, 4, 20, 4, 20, 20, 4, 20]]
    document = {
        "images": [{"id": 1, "file_name": "0.png", "height": SIZE[0], "width": SIZE[1]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": outline}],
        "categories": [{"id": 1, "name": "nut"}],
    }
    (folder / "base.json").write_text(json.dumps(document))
    asked: list[tuple[int, BaseOptions]] = []

    def stand_in(model: PromptableModel, data: CocoSet, options: BaseOptions, tell: Any) -> BaseResult:
        asked.append((len(data), options))
        for stage in ("embedding", "head"):
            tell(stage, 1, 1)
        embedder = Embedder(model)
        head = Head(embedder.width, HeadFacts(embedder.fingerprint, model.card.name)).eval()
        split = ClassSplit(("nut",), ("a", "b"), ("c", "d"))
        gains = (Gain(1, 0.5, 0.6, 0.01),)
        learned = Learned(**dict.fromkeys(Learned.__dataclass_fields__, 0))
        return BaseResult(head, split, gains, learned, None, "the head tells new classes apart better")

    monkeypatch.setattr(base_training, "train_base", stand_in)
    out = shop.root / "base"
    words = ("classes", "train-base", str(folder / "base.json"), "--out", str(out), "--steps", "7")
    ran = shop.run(*words)
    assert ran.code == 0, ran.err
    assert "the head tells new classes apart better" in ran.out
    assert (asked[0][0], asked[0][1].steps, asked[0][1].folder) == (1, 7, out / "work")
    told = json.loads((out / "training.json").read_text())
    assert told["classes"]["judging"] == ["c", "d"]
    # The head serves the other verbs.
    head = ("--head", str(out / "head.safetensors"))
    assert shop.add("nut", *head).code == 0
    assert f"--head {out / 'head.safetensors'}" in shop.add("bolt").err
    assert f"and head {out / 'head.safetensors'}, event 2" in shop.do("list").out
    assert f"and head {out / 'head.safetensors'}" in shop.do("history").out
    assert shop.add("bolt", *head).code == 0
    assert "3 samples embedded anew with model tiny-compact (" in shop.do("rebuild").out
    assert shop.run("classes", "train-base", str(folder), "--out", str(out)).code == 2
    assert shop.run(*words[:4], str(out), "--steps", "0").code == 2


def test_a_tuned_decoder_is_saved_as_a_model_that_works(tmp_path: Path) -> None:
    from kiridashi.cli.classes_train_job import _save_model
    from kiridashi.core.prompt import Prompt
    from kiridashi.demo.coins import coins
    from kiridashi.models.loading import load_model

    plain = load_model("compact")
    tuned = PromptableModel(copy.deepcopy(plain.net), plain.card)
    with torch.no_grad():
        for parameter in tuned.net.mask_decoder.parameters():
            parameter.mul_(1.02)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").write_text("of an earlier run")
    _save_model(tuned, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not (tmp_path / "model" / "old").exists()
    loaded = load_model(str(tmp_path / "model"))
    picture, prompts = coins().target, [Prompt(points=((60.0, 60.0, 1),))]
    drawn = {
        name: model.decode(model.encode(picture), prompts).logits
        for name, model in {"plain": plain, "tuned": tuned, "loaded": loaded}.items()
    }
    torch.testing.assert_close(drawn["loaded"], drawn["tuned"])
    assert not torch.allclose(drawn["plain"], drawn["tuned"], atol=0.01)
    # A registry that was made before the tuning stays valid, and the card is kept.
    assert Embedder(loaded).fingerprint == Embedder(plain).fingerprint
    assert (loaded.card.grid, loaded.card.trained) == (plain.card.grid, plain.card.trained)
    assert loaded.card.draws_prompts is plain.card.draws_prompts


def test_train_base_needs_classes_to_hold_aside(shop: Shop) -> None:
    folder = shop.samples("nut", 1)
    outline = [[4, 4, 20, 4, 20, 20, 4, 20]]
    document = {
        "images": [{"id": 1, "file_name": "0.png", "height": SIZE[0], "width": SIZE[1]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": outline}],
        "categories": [{"id": 1, "name": "nut"}],
    }
    (folder / "base.json").write_text(json.dumps(document))
    words = (
        "classes",
        "train-base",
        str(folder / "base.json"),
        "--out",
        str(shop.root / "base"),
        "--points",
        "0",
    )
    ran = shop.run(*words)
    assert ran.code == 2
    assert "holds classes aside" in ran.err
