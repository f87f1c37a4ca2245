"""`kiridashi poc` with quick methods on drawn pictures."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.poc.made_classes import ColourList, make_colours
from tests.poc.made_site import LINEUP, MONEY, QUICK, Brightness, make_site

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.poc.proof import Lineup

Run = Callable[..., SimpleNamespace]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiridashi.cli.poc_methods.lineup", lambda model: LINEUP)


@pytest.mark.usefixtures("quick")
def test_from_pictures_to_a_decision(tmp_path: Path, run: Run) -> None:
    site, out = make_site(tmp_path, QUICK + MONEY), tmp_path / "out"
    told = run("poc", str(site), "--out", str(out))
    assert told.code == 0
    assert "bright discs: HOLD, sharp, IoU" in told.out
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "data:image" in page
    assert "Too few test pictures" in page
    assert json.loads((out / "summary.json").read_text())["cases"][0]["method"] == "sharp"

    again = run("poc", str(site), "--out", str(out))
    assert again.code == 2
    assert "--resume" in again.err
    Brightness.fits = 0
    resumed = run("poc", str(site), "--out", str(out), "--resume", "--json")
    assert resumed.code == 0, resumed.err
    assert Brightness.fits == 0
    assert json.loads(resumed.out)["cases"][0]["decision"] == "hold"

    other = run(
        "poc", "report", str(out), "--language", "ja", "--no-pictures", "--to", str(tmp_path / "ja.html")
    )
    assert other.code == 0
    page = (tmp_path / "ja.html").read_text(encoding="utf-8")
    assert "保留" in page
    assert "data:image" not in page
    assert Brightness.fits == 0


@pytest.mark.usefixtures("quick")
def test_a_picture_that_cannot_be_read_spoils_no_draw(tmp_path: Path, run: Run) -> None:
    site, out = make_site(tmp_path, QUICK), tmp_path / "out"
    for number in range(5):
        (tmp_path / "discs" / "images" / f"disc{number:02}.png").write_bytes(b"no picture")
    told = run("poc", str(site), "--out", str(out))
    assert told.code == 3
    assert "all methods, disc00: " in told.err
    lines = (out / "bright-discs" / "results.jsonl").read_text().splitlines()
    assert lines
    assert all(json.loads(line).get("error") is None for line in lines)


@pytest.mark.usefixtures("quick")
def test_the_data_may_lie_elsewhere(tmp_path: Path, run: Run) -> None:
    make_site(tmp_path / "data", QUICK)
    site = tmp_path / "desk" / "site.yaml"
    site.parent.mkdir()
    site.write_text(QUICK)
    lost = run("poc", str(site), "--out", str(tmp_path / "out"))
    assert lost.code == 2
    found = run("poc", str(site), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "-q")
    assert found.code == 0
    assert found.out == ""


@pytest.mark.usefixtures("quick")
def test_a_defect_in_a_method_costs_its_answers_only(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, plain = make_site(tmp_path, QUICK), Brightness.predict

    def predict(self: Brightness, picture: Picture) -> Segments:
        if self.margin:
            raise RuntimeError("nobody expected this")
        return plain(self, picture)

    monkeypatch.setattr(Brightness, "predict", predict)
    told = run("poc", str(site), "--out", str(tmp_path / "out"))
    assert told.code == 3
    assert "unexpected RuntimeError: nobody expected this" in told.err
    assert "sharp" in told.out


def test_an_example_is_written_once(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "site.yaml"
    assert run("poc", "new", str(path)).code == 0
    assert path.read_text(encoding="utf-8").startswith("# What a trial needs to know")
    assert run("poc", "new", str(path)).code == 2
    assert run("poc", "new", str(path), "--overwrite").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("poc", "nowhere.yaml", "--out", "out"), "there is no such file"),
        (("poc", "report", "."), "no run of `kiridashi poc`"),
        (("poc", "report", ".", "--language", "de"), "language"),
    ],
)
def test_what_is_not_there_is_told(
    words: tuple[str, ...], told: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(*words)
    assert found.code == 2
    assert told in found.err


def test_the_methods_have_makers_and_licences() -> None:
    from kiridashi.cli.poc_methods import library_licence, lineup

    made = lineup("compact")
    assert {"prototype", "concat", "forest", "unet"} <= set(made.makers)
    assert made.licences["concat"] == "Apache-2.0"
    assert "BSD" in made.licences["forest"]
    assert library_licence("no-such-package-anywhere") == ""


def test_the_list_of_classes_for_forgetting_is_that_of_the_classes() -> None:
    from kiridashi.classes.growing import GrowingDetector
    from kiridashi.cli.poc_methods import lineup

    make = lineup("compact").growing
    assert make is not None
    assert isinstance(make(), GrowingDetector)


def test_a_failure_of_the_list_of_classes_is_told(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoRed(ColourList):
        def add(self, name: str, references: Any, negatives: Any = ()) -> None:
            if name == "red":
                raise InputError("no red today")
            super().add(name, references)

    made = Lineup({"sharp": Brightness}, growing=NoRed)
    monkeypatch.setattr("kiridashi.cli.poc_methods.lineup", lambda model: made)
    told = run("poc", str(make_colours(tmp_path)), "--out", str(tmp_path / "out"))
    assert told.code == 3
    assert "no red today" in told.err
    assert "Without a result: red." in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
