import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import ModelUnavailableError
from kiridashi.core.mask import Mask
from kiridashi.data.lines import read_jsonl

Run = Callable[..., SimpleNamespace]
pytestmark = pytest.mark.usefixtures("stand_in")


def lines_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {line["stem"]: line for line in read_jsonl(folder / "results.jsonl")}


def test_writes_what_it_promises(site: Any, run: Run) -> None:
    told = run(*site.segment())
    out = site.root / "out"
    assert told.code == 0, told.err
    assert sorted(path.name for path in (out / "masks").iterdir()) == ["none.png", "one.png", "two.png"]
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["none.jpg", "one.jpg", "two.jpg"]
    lines = lines_of(out)
    assert {stem: line["verdict"] for stem, line in lines.items()} == {
        "none": "absent",
        "one": "present",
        "two": "present",
    }
    assert len(lines["two"]["instances"]) == 2
    mask = np.asarray(Image.open(out / "masks" / "two.png"))
    assert mask.shape == (60, 80)
    assert set(np.unique(mask)) == {0, 255}
    assert not np.asarray(Image.open(out / "masks" / "none.png")).any()
    assert "present in 2, absent in 1" in told.out
    assert "report.html" in told.out


def test_the_annotations_are_coco(site: Any, run: Run) -> None:
    run(*site.segment())
    document = json.loads((site.root / "out" / "annotations.json").read_text())
    assert [image["file_name"].rsplit("/", 1)[1] for image in document["images"]] == [
        "none.png",
        "one.png",
        "two.png",
    ]
    assert [category["name"] for category in document["categories"]] == ["object"]
    two = next(image["id"] for image in document["images"] if image["file_name"].endswith("two.png"))
    masks = [
        Mask.from_rle(each["segmentation"]) for each in document["annotations"] if each["image_id"] == two
    ]
    drawn = np.asarray(Image.open(site.root / "out" / "masks" / "two.png")) > 0
    assert (masks[0] | masks[1]) == Mask.from_array(drawn)


def test_everything_off_gives_the_best_guess_without_a_verdict(site: Any, run: Run, stand_in: Any) -> None:
    assert run(*site.segment("--everything-off", "--seed", "3", str(site.photos))).code == 0
    assert stand_in.options == {"verdict": False, "instances": False, "seed": 3}
    lines = lines_of(site.root / "out")
    assert [lines["two"]["verdict"], len(lines["two"]["instances"])] == [None, 1]


def test_json_is_the_only_thing_on_standard_output(site: Any, run: Run) -> None:
    told = json.loads(run(*site.segment("--json", str(site.photos))).out)
    assert told["pictures"] == 3
    assert [told["present"], told["absent"], told["instances"]] == [2, 1, 3]
    assert told["failed"] == []
    assert Path(told["files"]["report"]).is_file()


def test_quiet_says_nothing(site: Any, run: Run) -> None:
    told = run(*site.segment("--quiet", str(site.photos)))
    assert (told.code, told.out, told.err) == (0, "", "")


def test_a_bad_target_does_not_spoil_the_others(site: Any, run: Run) -> None:
    (site.photos / "empty.jpg").write_bytes(b"")
    (site.photos / "text.png").write_text("not a picture")
    site.write("photos/defect.png", [(20, 20, 10)])
    told = run(*site.segment())
    assert told.code == 3
    assert "empty.jpg" in told.err
    assert "text.png" in told.err
    assert "nobody expected this" in told.err
    assert "Traceback" not in told.err
    lines = lines_of(site.root / "out")
    assert {stem for stem, line in lines.items() if line["error"] is None} == {"none", "one", "two"}
    assert (site.root / "out" / "masks" / "two.png").is_file()
    assert "empty.jpg" in (site.root / "out" / "report.html").read_text()


def test_same_stems_do_not_overwrite_each_other(site: Any, run: Run) -> None:
    site.write("photos/sub/one.png", [])
    assert run(*site.segment()).code == 0
    lines = lines_of(site.root / "out")
    ones = [line for line in lines.values() if line["file"].endswith("/one.png")]
    assert sorted(line["verdict"] for line in ones) == ["absent", "present"]
    assert len({line["stem"] for line in ones}) == 2
    for line in ones:
        mask = np.asarray(Image.open(site.root / "out" / "masks" / f"{line['stem']}.png"))
        assert mask.any() == (line["verdict"] == "present")


def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(site: Any, run: Run, stand_in: Any) -> None:
    stand_in.interrupt_after = 2
    told = run(*site.segment())
    assert told.code == 130
    assert "2 of 3" in told.err
    assert "--resume" in told.err
    stand_in.interrupt_after = None
    assert run(*site.segment("--resume", str(site.photos))).code == 0
    assert stand_in.predicted == ["two.png"]
    assert set(lines_of(site.root / "out")) == {"none", "one", "two"}


def test_resume_survives_a_torn_line_and_lost_files(site: Any, run: Run, stand_in: Any) -> None:
    run(*site.segment())
    out = site.root / "out"
    whole = json.loads((out / "annotations.json").read_text())
    results = (out / "results.jsonl").read_bytes()
    (out / "results.jsonl").write_bytes(results[: len(results) - 40])
    (out / "masks" / ".0123456789abcdef.png").write_bytes(b"half")
    (out / "masks" / "none.png").unlink()
    (out / "annotations.json").unlink()
    assert run(*site.segment("--resume", str(site.photos))).code == 0
    assert sorted(stand_in.predicted) == ["none.png", "two.png"]
    assert json.loads((out / "annotations.json").read_text()) == whole
    assert sorted(path.name for path in (out / "masks").iterdir()) == ["none.png", "one.png", "two.png"]
    assert len(read_jsonl(out / "results.jsonl")) == 3


def test_resume_does_changed_and_failed_pictures_again(site: Any, run: Run, stand_in: Any) -> None:
    (site.photos / "late.png").write_text("still being copied")
    assert run(*site.segment()).code == 3
    site.write("photos/late.png", [(30, 30, 9)])
    site.write("photos/none.png", [(30, 30, 9)])
    assert run(*site.segment("--resume", str(site.photos))).code == 0
    assert sorted(stand_in.predicted) == ["late.png", "none.png"]
    assert lines_of(site.root / "out")["none"]["verdict"] == "present"


@pytest.mark.parametrize(
    ("change", "names"), [(["--seed", "1"], "seed was 0, now 1"), (["--method", "concat"], "now concat")]
)
def test_resume_with_other_settings_is_refused(site: Any, run: Run, change: list[str], names: str) -> None:
    run(*site.segment())
    told = run(*site.segment("--resume", *change, str(site.photos)))
    assert told.code == 2
    assert names in told.err


def test_resume_with_other_references_is_refused(site: Any, run: Run) -> None:
    run(*site.segment())
    other = np.full((60, 80), 255, np.uint8)
    other[0] = 0
    Image.fromarray(other).save(site.root / "part_mask.png")
    told = run(*site.segment("--resume", str(site.photos)))
    assert told.code == 2
    assert "references differ" in told.err


def test_a_folder_with_results_is_not_touched_unasked(site: Any, run: Run) -> None:
    run(*site.segment())
    before = (site.root / "out" / "results.jsonl").read_bytes()
    told = run(*site.segment())
    assert told.code == 2
    assert "--resume" in told.err
    assert "--overwrite" in told.err
    assert (site.root / "out" / "results.jsonl").read_bytes() == before


def test_overwrite_removes_the_old_run_and_nothing_else(site: Any, run: Run) -> None:
    run(*site.segment())
    mine = site.root / "out" / "masks" / "mine.png"
    mine.write_bytes(b"kept")
    assert run(*site.segment("--overwrite", str(site.photos / "two.png"))).code == 0
    assert sorted(path.name for path in mine.parent.iterdir()) == ["mine.png", "two.png"]
    assert set(lines_of(site.root / "out")) == {"two"}


def test_another_picture_of_the_same_stem_in_a_later_run_is_refused(site: Any, run: Run) -> None:
    run(*site.segment())
    other = site.write("elsewhere/one.png", [])
    told = run(*site.segment("--resume", str(other)))
    assert told.code == 2
    assert "photos/one.png" in told.err


def test_a_namesake_that_joins_later_moves_the_first(site: Any, run: Run) -> None:
    run(*site.segment())
    site.write("photos/sub/one.png", [])
    assert run(*site.segment("--resume", str(site.photos))).code == 0
    stems = set(lines_of(site.root / "out"))
    assert len(stems) == 4
    assert "one" not in stems
    assert {path.stem for path in (site.root / "out" / "masks").iterdir()} == stems


def test_the_output_folder_is_not_a_target(site: Any, run: Run) -> None:
    words = site.segment(str(site.photos), out="photos/out")
    assert run(*words).code == 0
    assert run(*words, "--resume").code == 0
    assert len(lines_of(site.photos / "out")) == 3


def test_a_run_that_stopped_before_its_first_result_is_no_obstacle(
    site: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(name: str) -> None:
        raise ModelUnavailableError("its files are not here")

    with monkeypatch.context() as patch:
        patch.setattr("kiridashi.models.loading.load_model", unavailable)
        assert run(*site.segment()).code == 2
    assert run(*site.segment("--seed", "1", str(site.photos))).code == 0


def test_a_folder_without_its_settings_cannot_be_resumed(site: Any, run: Run) -> None:
    run(*site.segment())
    (site.root / "out" / "run.json").unlink()
    told = run(*site.segment("--resume", str(site.photos)))
    assert told.code == 2
    assert "no run.json" in told.err


def wrong(site: Any, *words: str) -> list[str]:
    return [str(site.root / word) if word.endswith((".png", ".jpg", "photos")) else word for word in words]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--reference", "part.png", "--mask", "part_mask.png", "--reference", "part.png"],
            "2 --reference but 1 --mask",
        ),
        (["--reference", "no.jpg", "--mask", "part_mask.png"], "no.jpg: there is no such file"),
        (["--reference", "part.png", "--mask", "empty.png"], "empty"),
        (["--reference", "part.png", "--mask", "small.png"], "80 x 60"),
        (["--reference", "part.png", "--mask", "part_mask.png", "--negative", "text.jpg"], "text.jpg"),
        (
            ["--reference", "part.png", "--mask", "part_mask.png", "--method", "prototyp"],
            "Did you mean prototype?",
        ),
        (
            ["--reference", "part.png", "--mask", "part_mask.png", "--model", "compakt"],
            "Did you mean compact?",
        ),
        (["--reference", "part.png", "--mask", "part_mask.png", "--language", "jp"], "Did you mean ja?"),
        (["--reference", "part.png", "--mask", "part_mask.png", "--quite"], "did you mean --quiet?"),
    ],
)
def test_wrong_use_is_told_in_a_line(site: Any, run: Run, words: list[str], says: str) -> None:
    Image.fromarray(np.zeros((60, 80), np.uint8)).save(site.root / "empty.png")
    Image.fromarray(np.full((6, 8), 255, np.uint8)).save(site.root / "small.png")
    (site.root / "text.jpg").write_text("no picture")
    told = run("segment", *wrong(site, *words, "photos"), "--out", str(site.root / "out"))
    assert told.code == 2
    assert says in told.err
    assert "Traceback" not in told.err
    assert len(told.err.splitlines()) <= 2
    assert not (site.root / "out").exists()


def test_a_missing_target_suggests_the_nearest(site: Any, run: Run) -> None:
    told = run(*site.segment(str(site.photos / "onee.png")))
    assert told.code == 2
    assert "one.png" in told.err


def test_masks_from_an_annotation_file(site: Any, run: Run) -> None:
    corners = [[28, 18], [52, 18], [52, 42], [28, 42]]
    shape = {"label": "disc", "shape_type": "polygon", "points": corners}
    content = {"imagePath": "part.png", "imageHeight": 60, "imageWidth": 80, "shapes": [shape]}
    path = site.root / "part.json"
    path.write_text(json.dumps(content))
    words = ["--reference", str(site.root / "part.png"), "--mask", str(path), "--out", str(site.root / "out")]
    told = run("segment", *words, str(site.photos / "one.png"))
    assert told.code == 0, told.err


def test_debug_shows_the_traceback(site: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRIDASHI_DEBUG", "1")
    site.write("photos/defect.png", [])
    with pytest.raises(RuntimeError, match="nobody expected"):
        run(*site.segment())


def test_masks_that_no_run_wrote_are_left_alone(site: Any, run: Run) -> None:
    (site.root / "out" / "masks").mkdir(parents=True)
    (site.root / "out" / "masks" / "one.png").write_bytes(b"truth")
    for word in ("--overwrite", "--resume"):
        told = run(*site.segment(word, str(site.photos)))
        assert told.code == 2
        assert "no run.json" in told.err
    assert (site.root / "out" / "masks" / "one.png").read_bytes() == b"truth"


def test_a_photograph_is_no_mask(site: Any, run: Run) -> None:
    """Every pixel of it is above 0, so that nothing would be left to tell the object from."""
    told = run(
        *["segment", str(site.photos), "--out", str(site.root / "out")],
        *["--reference", str(site.root / "part.png"), "--mask", str(site.root / "part.png")],
    )
    assert told.code == 2
    assert "covers the whole picture" in told.err
    assert not (site.root / "out").exists()
