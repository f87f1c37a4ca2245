import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.poc.made_site import QUICK, make_site

from kiridashi.poc.samples import licence_of, look
from kiridashi.poc.site import read_site
from kiridashi.poc.trial import open_source
from kiridashi.report.poc.document import Check


def checks(root: Path, text: str = QUICK) -> dict[str, Check]:
    file = (
        read_site(make_site(root, text))
        if not (root / "site.yaml").exists()
        else read_site(root / "site.yaml")
    )
    case = file.site.use_cases[0]
    return {check.key: check for check in look(file, case, open_source(file, case)).checks}


def test_a_good_set_fulfils_what_it_can(tmp_path: Path) -> None:
    found = checks(tmp_path)
    assert {key for key, check in found.items() if not check.fulfilled} == {"planned"}
    assert found["planned"].values["names"] == ("light: night",)


def test_twins_sizes_and_specks_are_found(tmp_path: Path) -> None:
    make_site(tmp_path)
    images, masks = tmp_path / "discs" / "images", tmp_path / "discs" / "masks"
    shutil.copy(images / "disc00.png", images / "disc90.png")
    shutil.copy(masks / "disc00.png", masks / "disc90.png")
    large = np.random.default_rng(1).integers(0, 60, (200, 200, 3)).astype(np.uint8)
    mask = np.zeros((200, 200), np.uint8)
    mask[100, 100] = 1
    Image.fromarray(large).save(images / "disc91.png")
    Image.fromarray(mask).save(masks / "disc91.png")
    found = checks(tmp_path)
    assert found["twins"].values["names"] == ("disc90.png",)
    assert found["sizes"].values == {"small": 48, "large": 200}
    assert found["tiny"].values["count"] == 1
    assert not any(found[key].fulfilled for key in ("twins", "sizes", "tiny"))


def test_what_cannot_be_read_is_named_and_left_out(tmp_path: Path) -> None:
    file = read_site(make_site(tmp_path))
    (tmp_path / "discs" / "images" / "disc01.png").write_bytes(b"no picture")
    (tmp_path / "discs" / "images" / "good30.png").write_bytes(b"no picture")
    source = open_source(file, file.site.use_cases[0])
    assert source.unreadable.keys() == {"disc01", "good30"}
    assert not {"disc01", "good30"} & {*source.pictures, *source.without("object")}
    assert checks(tmp_path)["readable"].values == {"count": 2, "names": ("disc01", "good30")}


def test_a_poor_set_is_told_so(tmp_path: Path) -> None:
    text = QUICK.replace(", tags: tags.csv, licence: drawn for a test, people: false", "")
    make_site(tmp_path, text, discs=6, good=2)
    found = checks(tmp_path)
    for key in ("enough", "empty", "tags", "people", "licence"):
        assert not found[key].fulfilled, key
    assert found["enough"].values["names"] == ("object",)


@pytest.mark.parametrize(
    ("name", "text", "licence"),
    [
        ("meta.json", '{"licence": "CC0-1.0"}', "CC0-1.0"),
        ("meta.json", "[broken", None),
        ("README.md", "# set\n\n- Licence: CC BY 4.0\n", "CC BY 4.0"),
        ("README.md", "**License**: MIT\n", "MIT"),
        ("README.md", "nothing of the kind", None),
    ],
)
def test_the_licence_is_read_beside_the_pictures(
    tmp_path: Path, name: str, text: str, licence: str | None
) -> None:
    (tmp_path / name).write_text(text)
    assert licence_of(tmp_path) == licence
