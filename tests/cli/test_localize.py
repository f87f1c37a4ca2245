import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from kiridashi.cli import localize_opening
from kiridashi.cli.localize_fit_job import FitJob
from kiridashi.cli.localize_opening import Opened
from kiridashi.cli.localize_predict_job import PredictJob
from kiridashi.core.picture import Picture
from kiridashi.data.lines import read_jsonl
from kiridashi.localize.coarse import Look
from kiridashi.localize.gtformer.options import GTFormerOptions
from kiridashi.localize.settings import LocaliseSettings
from kiridashi.localize.training import loop
from kiridashi.localize.training.options import DEFECT_AREA, TrainingOptions
from kiridashi.models.promptable import PromptableModel

Run = Callable[..., SimpleNamespace]
SMALL = GTFormerOptions(grid=4, width=16, depth=2, global_aware=1, heads=2)


class RedSeer:
    """Sees red discs, and says of `kiss` nothing; stops the run at its `stop_at`-th picture."""

    classes = ("disc", "kiss")

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.stop_at: int | None = None
        facts = SimpleNamespace(
            classes=self.classes,
            single=False,
            inspects=False,
            score_thresholds={"disc": 0.5, "kiss": 0.6},
        )
        self.network = SimpleNamespace(facts=facts)

    def look(self, picture: Picture) -> Look:
        if len(self.seen) == self.stop_at:
            raise KeyboardInterrupt
        self.seen.append(picture.name)
        if picture.name.startswith("defect"):
            raise RuntimeError("nobody expected this")
        red = (picture.pixels[..., 0] > 180).astype(np.float32)
        coarse = np.clip(cv2.resize(red, (16, 16), interpolation=cv2.INTER_AREA), 0, 1)
        scores = np.array([0.9 if red.any() else 0.2, 0.3], dtype=np.float32)
        return Look(scores, coarse, np.stack([coarse, coarse * 0]))


@dataclass
class Works:
    """A site with labels.

    Attributes:
        root: folder of it all.
        seer: what stands in for the trained network, where a test wants it.
    """

    root: Path
    seer: RedSeer

    def out(self, name: str = "out") -> Path:
        return self.root / name

    def predict(self, *more: str, targets: str = "photos") -> list[str]:
        words = ["localize", "predict", str(self.root / targets), "--model", str(self.root / "model")]
        return [*words, "--out", str(self.out()), "--points-per-side", "3", *more]

    def fit(self, *more: str, labels: str = "labels.csv", out: str = "model") -> list[str]:
        words = ["localize", "fit", "--labels", str(self.root / labels), "--out", str(self.root / out)]
        return [*words, "--epochs", "2", *more]

    def sweep(self, *more: str, data: str = "boxes.csv") -> list[str]:
        words = ["localize", "sweep", str(self.root / data), "--model", str(self.root / "model"), "--out"]
        axes = ["--points-per-side", "2,3", "--candidates", "all,1", "--matching", "iou,cosine"]
        return [*words, str(self.out("swept")), *axes, *more]

    def write_labels(self, *rows: str, name: str = "labels.csv") -> None:
        (self.root / name).write_text("\n".join(["picture,label", *rows]) + "\n", encoding="utf-8")

    def lines(self) -> dict[str, dict[str, Any]]:
        return {line["stem"]: line for line in read_jsonl(self.out() / "results.jsonl")}


@pytest.fixture
def works(site: Any, random_model: PromptableModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Works:
    monkeypatch.setenv("KIRIDASHI_CACHE", str(tmp_path / "kept"))
    # The network itself is tested elsewhere; a small one learns in a moment.
    plain = FitJob._options
    monkeypatch.setattr(FitJob, "_options", lambda job: replace(plain(job), network=SMALL))
    made = Works(site.root, RedSeer())
    for number in range(4):
        site.write(f"labelled/red{number}.png", [(20 + 9 * number, 30, 10)])
        grey = np.full((60, 80, 3), 90 + 9 * number, dtype=np.uint8)
        Image.fromarray(grey).save(site.root / "labelled" / f"plain{number}.png")
    boxes = ["picture,label,x0,y0,x1,y1"]
    boxes += [f"labelled/red{n}.png,disc,{10 + 9 * n},20,{31 + 9 * n},41" for n in range(3)]
    (site.root / "boxes.csv").write_text("\n".join(boxes) + "\n")
    return made


@pytest.fixture
def stand_in_network(works: Works, random_model: PromptableModel, monkeypatch: pytest.MonkeyPatch) -> RedSeer:
    opened: Any = Opened(works.seer, random_model, "0" * 64)  # type: ignore[arg-type]
    monkeypatch.setattr(localize_opening, "open_model", lambda folder, sam: opened)
    return works.seer


def labelled(count: int = 4) -> list[str]:
    reds = [f"labelled/red{number}.png,disc" for number in range(count)]
    return [*reds, *(f"labelled/plain{number}.png,OK" for number in range(count))]


def test_from_labels_to_masks(works: Works, run: Run) -> None:
    works.write_labels(*labelled(), "labelled/gone.png,disc")
    (works.root / "labelled" / "torn.png").write_bytes(b"\x89PNG torn")
    with (works.root / "labels.csv").open("a") as stream:
        stream.write("labelled/torn.png,disc\n")
    told = run(*works.fit())
    assert told.code == 3
    assert "8 pictures of 1 class" in told.out
    assert "nothing there (OK)  4" in told.out
    assert "too few pictures to hold any aside" in told.out
    assert "gone.png: there is no such picture" in told.err
    assert "torn.png: " in told.err
    told = run(*works.predict("--pseudo-labels"))
    assert told.code == 0, told.err
    assert len(works.lines()) == 3
    told = run(*works.sweep())
    assert told.code == 0, told.err
    assert "recommended: --points-per-side" in told.out


def test_help_names_the_real_defaults(run: Run) -> None:
    def said(verb: str) -> str:
        return " ".join(run("localize", verb, "--help").out.split())

    options, settings = TrainingOptions(), LocaliseSettings()
    assert f"[default: {options.epochs}]" in said("fit")
    assert f"[default: {options.area}; {DEFECT_AREA} where" in said("fit")
    assert f"[default: {options.held_aside}]" in said("fit")
    assert f"[default: {settings.measure}]" in said("predict")
    assert f"[default: {settings.points_per_side}; 1<=x" in said("predict")


def test_fewer_epochs_are_fewer_steps() -> None:
    def steps(epochs: int | None) -> int:
        return FitJob(Path("labels.csv"), Path("model"), epochs=epochs)._options().least_steps

    everything = TrainingOptions()
    assert steps(None) == everything.least_steps
    assert steps(1) == round(everything.least_steps / everything.epochs)
    assert steps(2 * everything.epochs) == everything.least_steps


def test_fit_says_which_labels_contradict(works: Works, run: Run) -> None:
    works.write_labels("labelled/red0.png,disc", "labelled/red0.png,OK", "labelled/plain0.png,OK")
    told = run(*works.fit())
    assert told.code == 2
    assert "every label that can be used says that nothing is there (OK)" in told.err
    assert "red0.png is left out: labelled 'OK' and 'disc', which contradict one another" in told.err


def test_fit_tells_a_program(works: Works, run: Run) -> None:
    works.write_labels(*labelled(3), "labelled/red3.png,kiss;disc")
    told = json.loads(run(*works.fit("--json")).out)
    assert told["classes"] == {"disc": 4, "kiss": 1}
    assert (told["nothing_there"], told["normal_labels"], told["imbalance"]) == (3, ["OK"], 4.0)
    assert (told["accuracy"], told["held_aside"], told["epochs"]) == (None, 0, 2)
    card = json.loads((works.root / "model" / "card.json").read_text())
    assert card["options"]["area"] == 0.05
    assert told["exit_code"] == 0


def test_fit_remarks_on_what_is_uneven(works: Works, run: Run) -> None:
    works.write_labels(*labelled(3), "labelled/red3.png,kiss")
    told = run(*works.fit())
    assert "'disc' has 3.0 times the pictures of 'kiss'" in told.out
    assert "only one picture of 'kiss'" in told.out


def test_fit_keeps_the_splits_of_the_labels(works: Works, run: Run) -> None:
    rows = [f"{row},{'val' if '3' in row else 'test' if '2' in row else 'train'}" for row in labelled()]
    (works.root / "labels.csv").write_text("\n".join(["picture,label,split", *rows]) + "\n")
    told = json.loads(run(*works.fit("--json")).out)
    assert (told["pictures"], told["held_aside"], told["not_looked_at"]) == (6, 2, 2)
    assert 0 <= told["accuracy"] <= 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            ["labelled/plain0.png,OK", "labelled/plain1.png,良品"],
            "every label that can be used says that nothing is there",
        ),
        (["labelled/gone.png,disc"], "no label there can be used"),
        (["labelled/red0.png,disc", "labelled/red1.png,disc"], "nothing to tell apart"),
    ],
)
def test_fit_refuses_what_teaches_nothing(works: Works, run: Run, rows: list[str], reason: str) -> None:
    works.write_labels(*rows)
    told = run(*works.fit())
    assert told.code == 2
    assert reason in told.err
    assert not (works.root / "model" / "card.json").exists()


def test_fit_does_not_replace_unasked(works: Works, run: Run) -> None:
    works.write_labels(*labelled())
    assert run(*works.fit()).code == 0
    assert "--overwrite to replace it" in run(*works.fit()).err
    assert "--overwrite to replace it" in run(*works.fit("--resume")).err
    assert run(*works.fit("--overwrite")).code == 0
    assert "contradict" in run(*works.fit("--overwrite", "--resume")).err


def test_an_interrupted_fit_goes_on(works: Works, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    works.write_labels(*labelled())
    plain: Callable[..., Any] = loop.fit_network

    def interrupted(*words: Any) -> Any:
        *first, tell, state = words

        def stop(done: int, total: int) -> None:
            tell(done, total)
            if done == 1:
                raise KeyboardInterrupt

        return plain(*first, stop, state)

    monkeypatch.setattr("kiridashi.localize.training.fitting.fit_network", interrupted)
    told = run(*works.fit())
    assert told.code == 130
    assert "--resume to go on" in told.err
    monkeypatch.setattr("kiridashi.localize.training.fitting.fit_network", plain)
    assert "a training that was interrupted" in run(*works.fit()).err
    assert run(*works.fit("--resume")).code == 0
    resumed = (works.root / "model" / "weights.safetensors").read_bytes()
    assert run(*works.fit(out="other")).code == 0
    assert resumed == (works.root / "other" / "weights.safetensors").read_bytes()


def test_predict_writes_what_it_promises(works: Works, run: Run, stand_in_network: RedSeer) -> None:
    told = run(*works.predict())
    assert told.code == 0, told.err
    for folder, ending in (("masks", "png"), ("maps", "png"), ("overlays", "jpg"), ("stages", "jpg")):
        names = sorted(path.name for path in (works.out() / folder).iterdir())
        assert names == [f"{stem}.{ending}" for stem in ("none", "one", "two")]
    document = json.loads((works.out() / "annotations.json").read_text())
    assert [each["name"] for each in document["categories"]] == ["disc", "kiss"]
    assert {each["category_id"] for each in document["annotations"]} == {1}
    assert all(each["score"] == pytest.approx(0.9) for each in document["annotations"])
    grey = np.asarray(Image.open(works.out() / "maps" / "one.png"))
    assert grey.shape == (60, 80)
    assert (grey[20, 20], grey[55, 75]) == (255, 0)
    assert "report.html" in told.out
    assert not (works.out() / "review.csv").exists()


def test_a_good_part_is_a_clear_outcome(works: Works, run: Run, stand_in_network: RedSeer) -> None:
    told = run(*works.predict())
    assert "nothing found in 1" in told.out
    lines = works.lines()
    assert lines["none"]["verdict"] == "absent"
    assert lines["none"]["details"]["outcome"] == "nothing found"
    assert lines["none"]["instances"] == []
    assert lines["two"]["details"]["outcome"] == "found"
    assert {note["label"] for note in lines["two"]["details"]["choices"]} == {"disc"}
    document = json.loads((works.out() / "annotations.json").read_text())
    images = {Path(each["file_name"]).stem: each["id"] for each in document["images"]}
    assert images["none"] not in {each["image_id"] for each in document["annotations"]}
    assert "nothing found" in (works.out() / "report.html").read_text(encoding="utf-8")
    assert not np.asarray(Image.open(works.out() / "masks" / "none.png")).any()


def test_predict_tells_a_program(works: Works, run: Run, stand_in_network: RedSeer) -> None:
    told = json.loads(run(*works.predict("--json", "--pseudo-labels")).out)
    assert (told["pictures"], told["nothing_found"], told["failed"]) == (3, 1, [])
    assert told["classes"] == {"disc": told["instances"]}
    assert 0 <= told["kept_coarse"] <= told["instances"]
    assert Path(told["files"]["review"]).is_file()


def test_one_bad_picture_spoils_nothing(works: Works, run: Run, stand_in_network: RedSeer) -> None:
    (works.root / "photos" / "bad.png").write_bytes(b"no picture")
    shutil.copy(works.root / "photos" / "one.png", works.root / "photos" / "defect.png")
    told = run(*works.predict())
    assert told.code == 3
    assert "bad.png: " in told.err
    assert "defect.png: unexpected RuntimeError" in told.err
    lines = works.lines()
    assert [stem for stem, line in lines.items() if line["error"] is None] == ["none", "one", "two"]
    assert not (works.out() / "maps" / "bad.png").exists()


def test_an_interrupted_run_goes_on(works: Works, run: Run, stand_in_network: RedSeer) -> None:
    stand_in_network.stop_at = 2
    told = run(*works.predict())
    assert told.code == 130
    assert "2 of 3 pictures are done" in told.err
    stand_in_network.stop_at = None
    assert run(*works.predict("--resume", "--pseudo-labels")).code == 0
    assert sorted(stand_in_network.seen) == ["none.png", "one.png", "two.png"]
    with (works.out() / "review.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    doubts = [float(row["doubt"]) for row in rows]
    assert doubts == sorted(doubts, reverse=True)
    assert [row["class"] for row in rows].count("") == 1
    other = run(*works.predict("--resume", "--matching", "iou"))
    assert other.code == 2
    assert f"measure was {LocaliseSettings().measure}, now iou" in other.err


def test_masks_become_samples_of_a_class(works: Works, run: Run, stand_in_network: RedSeer) -> None:
    from kiridashi.classes.samples import gather

    run(*works.predict("--pseudo-labels"))
    gathered = gather(works.out() / "pseudo" / "disc", None)
    assert gathered.unusable == ()
    objects = sum(len(line["instances"]) for line in works.lines().values())
    assert len(gathered.marked) == objects


def test_a_least_score_takes_the_place_of_the_learned_ones(
    works: Works, run: Run, stand_in_network: RedSeer
) -> None:
    told = json.loads(run(*works.predict("--min-score", "0.95", "--json")).out)
    assert told["nothing_found"] == 3
    told = json.loads(run(*works.predict("--min-score", "0.25", "--json", "--overwrite")).out)
    assert set(told["classes"]) == {"disc", "kiss"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--matching", "soft-iuo"], "Did you mean soft-iou?"),
        (["--language", "fr"], "no language named 'fr'"),
        (["--min-score", "2"], "min-score"),
        (["--candidates", "0"], "candidates"),
    ],
)
def test_predict_refuses(works: Works, run: Run, words: list[str], reason: str) -> None:
    told = run(*works.predict(*words))
    assert told.code == 2
    assert reason in told.err
    assert not works.out().exists()


def test_the_defaults_are_those_of_the_localiser() -> None:
    job, settings = PredictJob((), Path(), Path()), LocaliseSettings()
    assert (job.points_per_side, job.candidates) == (settings.points_per_side, settings.most_candidates)
    assert job._settings() == settings


def test_a_model_folder_that_is_none(works: Works, run: Run) -> None:
    told = run(*works.predict())
    assert told.code == 2
    assert "model: there is no such folder; expected a folder that localize fit has written" in told.err


def test_sweep_writes_table_plot_and_recommendation(
    works: Works, run: Run, stand_in_network: RedSeer
) -> None:
    told = run(*works.sweep())
    assert told.code == 0, told.err
    folder = works.out("swept")
    with (folder / "sweep.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8
    assert {row["pictures"] for row in rows} == {"3"}
    chosen = json.loads((folder / "recommended.json").read_text())
    assert chosen["options"] in told.out
    assert (folder / "sweep.svg").read_text().startswith("<svg")
    assert "report figures of other ones" in told.out


def test_an_interrupted_sweep_goes_on(works: Works, run: Run, stand_in_network: RedSeer) -> None:
    stand_in_network.stop_at = 2
    assert run(*works.sweep()).code == 130
    assert len(read_jsonl(works.out("swept") / "results.jsonl")) == 2
    stand_in_network.stop_at = None
    assert run(*works.sweep("--resume")).code == 0
    assert len(stand_in_network.seen) == 3
    words = [word if word != "iou,cosine" else "iou" for word in works.sweep("--resume")]
    assert "matching was iou,cosine, now iou" in run(*words).err


def test_sweep_wants_a_truth_and_one_split(works: Works, run: Run, stand_in_network: RedSeer) -> None:
    works.write_labels(*labelled())
    assert "no picture has a box or a mask" in run(*works.sweep(data="labels.csv")).err
    head = "picture,label,split,x0,y0,x1,y1"
    rows = ["labelled/red0.png,disc,train,10,20,31,41", "labelled/red1.png,disc,test,19,20,40,41"]
    (works.root / "split.csv").write_text("\n".join([head, *rows]) + "\n")
    assert "say with --split" in run(*works.sweep(data="split.csv")).err
    told = json.loads(run(*works.sweep("--split", "train", "--json", data="split.csv")).out)
    assert told["pictures"] == 1
    assert "Did you mean train?" in run(*works.sweep("--split", "trian", data="split.csv")).err
    assert "has no splits" in run(*works.sweep("--split", "train")).err


def test_sweep_refuses_other_classes_and_lists(works: Works, run: Run, stand_in_network: RedSeer) -> None:
    text = (works.root / "boxes.csv").read_text().replace("disc", "bolt")
    (works.root / "bolts.csv").write_text(text)
    assert "no class in common" in run(*works.sweep(data="bolts.csv")).err
    words = works.sweep()
    words[words.index("2,3")] = "2;3"
    assert "--points-per-side is a list" in run(*words).err
    words[words.index("2;3")] = "0"
    assert run(*words).code == 2
