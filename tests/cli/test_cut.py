import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.data.lines import read_jsonl
from kiridashi.data.masks import read_mask
from kiridashi.data.pictures import read_picture
from kiridashi.models.cutting import cut
from kiridashi.models.promptable import PromptableModel

Run = Callable[..., SimpleNamespace]
pytestmark = pytest.mark.usefixtures("random_model")

NOTE = "decoder of tiny-compact"


def disc(x: int, y: int, radius: int, size: tuple[int, int] = (60, 80)) -> Mask:
    rows, cols = np.ogrid[: size[0], : size[1]]
    return Mask.from_array((cols - x) ** 2 + (rows - y) ** 2 <= radius**2)


def decoded(model: PromptableModel, path: Path, prompt: Prompt) -> Mask:
    """What `cut` makes of a prompt, without the command line."""
    segments = cut(model, read_picture(path), prompt)
    return segments[0].mask if len(segments) else Mask.empty(segments.size)


ROUGH = disc(58, 38, 8)
RIGHT, LEFT, BOX = (60.0, 40.0, 1), (20.0, 20.0, 0), (45.0, 25.0, 75.0, 55.0)


@pytest.mark.parametrize(
    ("words", "prompt"),
    [
        (["--point", "60,40"], Prompt((RIGHT,))),
        (["--point", "60,40,1", "--point", "20,20,0"], Prompt((RIGHT, LEFT))),
        (["--box", "45,25,75,55"], Prompt(box=BOX)),
        (["--box", "45,25,75,55", "--point", "60,40"], Prompt((RIGHT,), BOX)),
        (["--prior", "rough.png"], Prompt(prior=ROUGH.to_array().astype(np.float32))),
    ],
)
def test_every_kind_of_prompt_reaches_the_decoder(
    site: Any, run: Run, random_model: PromptableModel, words: list[str], prompt: Prompt
) -> None:
    Image.fromarray(ROUGH.to_array().astype(np.uint8) * 255).save(site.root / "rough.png")
    words = [str(site.root / word) if word.endswith(".png") else word for word in words]
    out = site.root / "cut" / "mask.png"
    told = run("cut", str(site.photos / "two.png"), *words, "--out", str(out))
    assert told.code == 0, told.err
    assert read_mask(out) == decoded(random_model, site.photos / "two.png", prompt)
    assert NOTE in told.out


def test_json_of_one(site: Any, run: Run) -> None:
    out = site.root / "mask.png"
    told = json.loads(
        run("cut", str(site.photos / "one.png"), "--box", "5,5,35,35", "--out", str(out), "--json").out
    )
    assert told["masks"] == NOTE
    assert told["area"] == read_mask(out).area


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["one.png"], "say what to cut"),
        (["--point", "3,3"], "name the PICTURE"),
        (["one.png", "--point", "3"], "--point takes x,y"),
        (["one.png", "--point", "3,3,2"], "label of a point"),
        (["one.png", "--point", "300,3"], "outside of the picture of 80 x 60"),
        (["one.png", "--point", "nan,3"], "finite"),
        (["one.png", "--box", "1,2,3"], "--box takes x0,y0,x1,y1"),
        (["one.png", "--box", "9,9,3,3"], "x0 < x1"),
        (["one.png", "--prior", "missing.png"], "no such file"),
        (["missing.png", "--point", "3,3"], "no such file"),
    ],
)
def test_wrong_use(site: Any, run: Run, words: list[str], says: str) -> None:
    words = [str(site.photos / word) if word.endswith(".png") else word for word in words]
    told = run("cut", *words, "--out", str(site.root / "mask.png"))
    assert told.code == 2
    assert says in told.err
    assert not (site.root / "mask.png").exists()


@pytest.mark.usefixtures("untrained_model")
def test_an_untrained_decoder_is_wrong_use(site: Any, run: Run) -> None:
    prompts = write_lines(site.photos / "prompts.jsonl", {"id": "a", "image": "one.png", "box": BOX})
    one = ["cut", str(site.photos / "one.png"), "--point", "20,20", "--out", str(site.root / "mask.png")]
    many = ["cut", "--prompts", str(prompts), "--out", str(site.root / "cuts")]
    for words in (one, many):
        told = run(*words)
        assert told.code == 2
        assert "cut needs a trained mask decoder, which tiny-compact does not have" in told.err
    assert not (site.root / "mask.png").exists()
    assert not (site.root / "cuts" / "masks").exists()


def test_the_mask_must_be_a_png(site: Any, run: Run) -> None:
    told = run("cut", str(site.photos / "one.png"), "--point", "20,20", "--out", str(site.root / "mask.jpg"))
    assert told.code == 2
    assert ".png" in told.err


def write_lines(path: Path, *lines: Any) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_many_from_a_file(
    site: Any, run: Run, random_model: PromptableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = write_lines(
        site.photos / "prompts.jsonl",
        {"id": "left", "image": "two.png", "points": [[20, 20, 1]]},
        {"id": 7, "image": "one.png", "box": [5, 5, 35, 35]},
        "",
        {"id": "right", "image": "two.png", "points": [[60, 40, 1], [20, 20, 0]], "box": [45, 25, 75, 55]},
    )
    read: list[str] = []

    def note(path: Path) -> Picture:
        read.append(path.name)
        return read_picture(path)

    monkeypatch.setattr("kiridashi.cli.cut_job.read_picture", note)
    out = site.root / "cuts"
    told = run("cut", "--prompts", str(prompts), "--out", str(out))
    assert told.code == 0, told.err
    assert sorted(path.name for path in (out / "masks").iterdir()) == ["7.png", "left.png", "right.png"]
    two = site.photos / "two.png"
    right, left = Prompt((RIGHT, LEFT), BOX), Prompt(((20.0, 20.0, 1),))
    assert read_mask(out / "masks" / "right.png") == decoded(random_model, two, right)
    assert read_mask(out / "masks" / "left.png") == decoded(random_model, two, left)
    assert sorted(read) == ["one.png", "two.png"]
    assert {line["id"] for line in read_jsonl(out / "results.jsonl")} == {"left", "7", "right"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{broken", "not JSON"),
        ("[1]", "not a JSON object"),
        ({"image": "one.png", "points": [[1, 1, 1]]}, '"id" is missing'),
        ({"id": "../x", "image": "one.png", "points": [[1, 1, 1]]}, "cannot be a file's name"),
        ({"id": "a/b", "image": "one.png", "points": [[1, 1, 1]]}, "cannot be a file's name"),
        ({"id": "..", "image": "one.png", "points": [[1, 1, 1]]}, "cannot be a file's name"),
        ({"id": "x" * 300, "image": "one.png", "points": [[1, 1, 1]]}, "longer"),
        ({"id": "good", "image": "one.png", "points": [[1, 1, 1]]}, "was used before"),
        ({"id": "GOOD", "image": "one.png", "points": [[1, 1, 1]]}, "was used before"),
        ({"id": "x", "points": [[1, 1, 1]]}, '"image" is missing'),
        ({"id": "x", "image": "missing.png", "points": [[1, 1, 1]]}, "no such file"),
        ({"id": "x", "image": "one.png"}, "needs a point, a box or a prior"),
        ({"id": "x", "image": "one.png", "points": [[1]]}, '"points" must be'),
        ({"id": "x", "image": "one.png", "points": [[1, 1, 5]]}, "label of a point"),
        ({"id": "x", "image": "one.png", "points": [["1", 1, 1]]}, '"points" must be'),
        ({"id": "x", "image": "one.png", "points": [[999, 1, 1]]}, "outside"),
        ({"id": "x", "image": "one.png", "box": [1, 2, 3]}, '"box" must be'),
        ({"id": "x", "image": "one.png", "box": [5, 5, 1, 1]}, "x0 < x1"),
        ({"id": "x", "image": "one.png", "boxes": [5, 5, 9, 9]}, "unknown field 'boxes'"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_done(site: Any, run: Run, line: Any, says: str) -> None:
    good = {"id": "good", "image": "one.png", "points": [[20, 20, 1]]}
    last = {"id": "last", "image": "two.png", "box": [45, 25, 75, 55]}
    prompts = write_lines(site.photos / "prompts.jsonl", good, line, last)
    out = site.root / "cuts"
    told = run("cut", "--prompts", str(prompts), "--out", str(out), "--json")
    assert told.code == 3
    assert says in told.err
    summary = json.loads(told.out)
    assert summary["masks"] == 2
    assert len(summary["failed"]) == 1
    assert sorted(path.name for path in (out / "masks").iterdir()) == ["good.png", "last.png"]
    assert not (site.root / "x.png").exists()


@pytest.mark.parametrize("content", [None, ""])
def test_a_file_without_prompts_is_wrong_use(site: Any, run: Run, content: str | None) -> None:
    path = site.root / "prompts.jsonl"
    if content is not None:
        path.write_text(content)
    told = run("cut", "--prompts", str(path), "--out", str(site.root / "cuts"))
    assert told.code == 2
    assert "prompts.jsonl" in told.err


def test_a_file_and_a_picture_do_not_go_together(site: Any, run: Run) -> None:
    told = run("cut", "one.png", "--prompts", "prompts.jsonl", "--out", str(site.root / "cuts"))
    assert told.code == 2
    assert "leave out PICTURE" in told.err
