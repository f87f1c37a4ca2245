"""`kiridashi segment --method cav` with networks of random weights and a few steps of everything."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.data.lines import read_jsonl
from kiridashi.reference import methods
from kiridashi.reference.alignment.options import AlignmentOptions
from kiridashi.reference.cav import Cav
from kiridashi.reference.method import Method
from kiridashi.reference.transition import TransitionOptions

Run = Callable[..., SimpleNamespace]
pytestmark = pytest.mark.usefixtures("random_model")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, which a test must not share."""
    monkeypatch.setenv("KIRIDASHI_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps of everything, whatever the preset."""
    make, few = methods.make_method, TransitionOptions(frames=2, steps=2, lora_steps=2, rank=2)
    monkeypatch.setattr(
        "kiridashi.reference.transition.options.PRESETS",
        MappingProxyType({"fast": few, "balanced": replace(few, frames=3), "paper": few}),
    )

    def quick(name: str, model: Any, **more: Any) -> Method:
        if "options" in more:
            more["options"] = replace(more["options"], alignment=AlignmentOptions(steps=2, copies=1))
        return make(name, model, **more)

    monkeypatch.setattr("kiridashi.reference.methods.make_method", quick)


@pytest.fixture
def small_diffusion(monkeypatch: pytest.MonkeyPatch) -> None:
    """A diffusion model of random weights that a few pixels are enough for."""
    pytest.importorskip("diffusers")
    pytest.importorskip("peft")
    from kiridashi.reference.transition.compact import CompactBackend
    from kiridashi.reference.transition.design import Design, make_unet

    design = Design(side=16, channels=(8, 8, 8), head=4, groups=4)
    backend = CompactBackend(make_unet(design), design)
    monkeypatch.setattr("kiridashi.reference.transition.transition.load_backend", lambda name: backend)


def lines_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {line["stem"]: line for line in read_jsonl(folder / "results.jsonl")}


def test_frames_stand_in_a_strip_and_in_the_report(site: Any, run: Run) -> None:
    told = run(*site.segment("--everything-off", "--method", "cav-cross-fade", str(site.photos)))
    assert told.code == 0, told.err
    assert "bridges taken: cross-fade 3" in told.out
    out = site.root / "out"
    assert sorted(path.name for path in (out / "transitions").iterdir()) == ["none.jpg", "one.jpg", "two.jpg"]
    with Image.open(out / "transitions" / "one.jpg") as strip:
        assert strip.height == 128
        # Reference, two frames and the target at 4:3, and the gaps.
        assert strip.width == 4 * 171 + 2 * 8 + 2
    assert lines_of(out)["one"]["provenance"]["bridge"] == "cross-fade"
    images = json.loads((out / "annotations.json").read_text())["images"]
    assert [image["provenance"]["bridge"] for image in images] == ["cross-fade"] * 3
    page = (out / "report.html").read_text()
    assert page.count('<div class="way">') == 3
    assert "cross-fade 3" in page
    assert page.count("data:image/jpeg") == 1 + 2 * 3
    assert not (site.root / "kept").exists()


def test_a_long_picture_has_a_low_strip(site: Any, run: Run) -> None:
    wide = site.root / "wide.png"
    Image.fromarray(np.full((40, 2000, 3), 90, np.uint8)).save(wide)
    assert run(*site.segment("--method", "cav-cross-fade", str(wide))).code == 0
    with Image.open(site.root / "out" / "transitions" / "wide.jpg") as strip:
        assert strip.width < 4200


@pytest.mark.usefixtures("small_diffusion")
def test_cav_says_what_it_chose(site: Any, run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["dbst", "none", "both"])
    monkeypatch.setattr("kiridashi.reference.cav.method.choose", lambda cycles, margin: next(answers))
    told = run(*site.segment("--method", "cav", "--json", str(site.photos)))
    assert told.code == 0, told.err
    assert json.loads(told.out)["bridges"] == {"dbst": 1, "none": 1, "both": 1}
    out = site.root / "out"
    taken = {stem: line["provenance"]["bridge"] for stem, line in lines_of(out).items()}
    assert sorted(taken.values()) == ["both", "dbst", "none"]
    assert all(0 <= float(line["provenance"]["cycle IoU"]) <= 1 for line in lines_of(out).values())
    with_frames = {stem for stem, bridge in taken.items() if bridge != "none"}
    assert {path.stem for path in (out / "transitions").iterdir()} == with_frames
    page = (out / "report.html").read_text()
    assert page.count('<div class="way">') == 2
    assert "made frames 1, directly 1, made frames and tuning 1" in page
    assert "cycle IoU" in page
    # One neck, and the reference and three targets.
    assert len(list((cache / "necks").iterdir())) == 1
    assert len(list((cache / "transitions").iterdir())) == 4


@pytest.mark.usefixtures("small_diffusion")
def test_one_way_for_the_site_is_chosen_once_and_kept(
    site: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def settle(self: Cav, pictures: Any) -> str:
        asked.append([picture.name for picture in pictures])
        self.bridge_ = "ttga"
        return "ttga"

    monkeypatch.setattr(Cav, "settle", settle)
    for number in range(8):
        site.write(f"photos/p{number}.png", [(20, 20, 10)])
    (site.photos / "p6.png").write_text("no picture")
    words = site.segment("--method", "cav", "--choose", "site", str(site.photos))
    assert run(*words).code == 3
    # Five of eleven, evenly, and one of them cannot be read.
    assert [len(names) for names in asked] == [4]
    bridges = {line["provenance"].get("bridge") for line in lines_of(site.root / "out").values()}
    assert bridges == {"ttga", None}
    site.write("photos/p6.png", [(20, 20, 10)])
    assert run(*words, "--resume").code == 0
    assert len(asked) == 1
    assert lines_of(site.root / "out")["p6"]["provenance"]["bridge"] == "ttga"


def test_a_tuned_neck_is_not_paid_for_twice_and_progress_is_shown(
    site: Any, run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("kiridashi.cli.progress.Display.__enter__", _slow_to_forget)
    told = run(*site.segment("--method", "cav-ttga", str(site.photos / "one.png")))
    assert told.code == 0, told.err
    assert re.search(r"tuning the neck.* 2/2", _plain(told.err))
    (neck,) = (cache / "necks").iterdir()
    before = neck.stat().st_mtime_ns
    told = run(*site.segment("--method", "cav-ttga", "--overwrite", str(site.photos / "one.png")))
    assert " 2/2" not in _plain(told.err)
    assert neck.stat().st_mtime_ns == before
    told = run(*site.segment("--method", "cav-ttga", "--overwrite", "--quiet", str(site.photos / "one.png")))
    assert (told.code, told.out, told.err) == (0, "", "")


def _slow_to_forget(self: Any) -> Any:
    """`Display.__enter__`, with every change drawn at once: no test waits for a refresh."""
    from kiridashi.cli.progress import _bars

    progress = self._progress = _bars(self._quiet)
    update = progress.update

    def updated(*words: Any, **more: Any) -> None:
        update(*words, **more)
        progress.refresh()

    progress.update = updated  # type: ignore[method-assign]
    progress.start()
    return self


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["prototype", "--transition-preset", "fast"], "makes no frames"),
        (["concat", "--cache", "kept"], "keeps nothing in a cache"),
        (["cav-affine", "--cache", "kept"], "keeps nothing in a cache"),
        (["cav-ttga", "--diffusion-model", "compact"], "uses no diffusion model"),
        (["cav-dbst", "--choose", "site"], "nothing to choose among"),
        (["cav", "--label", "bolt"], "the compact one reads none"),
        (["cav", "--diffusion-model", ""], "--diffusion-model is empty"),
        (["cav-affine", "--transition-preset", "fats"], "Did you mean fast?"),
        (["cav", "--choose", "sight"], "Did you mean site?"),
        (["cav-cross-fad"], "Did you mean cav-cross-fade?"),
    ],
)
def test_options_without_use_are_refused(site: Any, run: Run, words: list[str], says: str) -> None:
    told = run(*site.segment("--method", *words, str(site.photos)))
    assert told.code == 2
    assert says in told.err
    assert len(told.err.splitlines()) == 1
    assert not (site.root / "out").exists()


@pytest.mark.usefixtures("small_diffusion")
def test_resume_with_another_way_is_refused(site: Any, run: Run) -> None:
    words = site.segment("--method", "cav", str(site.photos / "one.png"))
    assert run(*words).code == 0
    for option, value, says in (
        ("--transition-preset", "balanced", "transition preset was fast, now balanced"),
        ("--diffusion-model", "owner/name", "diffusion model was compact, now owner/name"),
        ("--choose", "site", "choose was picture, now site"),
    ):
        told = run(*words, "--resume", option, value)
        assert told.code == 2
        assert says in told.err


def test_a_cache_that_cannot_be_written_is_told_first(site: Any, run: Run) -> None:
    (site.root / "file").write_text("in the way")
    told = run(*site.segment("--method", "cav-ttga", "--cache", str(site.root / "file"), str(site.photos)))
    assert told.code == 2
    assert "name another folder with --cache" in told.err


def test_a_hub_model_that_is_not_here_is_told(site: Any, run: Run) -> None:
    pytest.importorskip("diffusers")
    pytest.importorskip("peft")
    words = ["--method", "cav-dbst", "--diffusion-model", "nobody/nothing", "--label", "bolt"]
    told = run(*site.segment(*words, str(site.photos)))
    assert told.code == 2
    assert "nobody/nothing: not on this machine and cannot be fetched" in told.err
    assert "--diffusion-model" in told.err
    assert "Traceback" not in told.err


def test_a_diffusion_model_that_is_no_id_is_told(site: Any, run: Run) -> None:
    pytest.importorskip("diffusers")
    pytest.importorskip("peft")
    words = ["--method", "cav-dbst", "--diffusion-model", "not an id"]
    told = run(*site.segment(*words, str(site.photos)))
    assert told.code == 2
    assert "no such folder, and no hub id" in told.err


def test_the_missing_extra_is_told(site: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    words = ["--method", "cav-dbst", "--diffusion-model", "owner/name", str(site.photos)]
    told = run(*site.segment(*words))
    assert told.code == 2
    assert 'pip install "kiridashi[diffusion]"' in told.err


def test_a_picture_done_again_without_frames_loses_its_strip(
    site: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = site.segment("--method", "cav-cross-fade", str(site.photos / "one.png"))
    assert run(*words).code == 0
    strip = site.root / "out" / "transitions" / "one.jpg"
    assert strip.is_file()
    site.write("photos/one.png", [(30, 30, 9)])
    monkeypatch.setattr(Cav, "frames", lambda self, picture, bridge: (self.references_[0], []))
    assert run(*words, "--resume").code == 0
    assert not strip.exists()
    assert run(*words, "--overwrite").code == 0
