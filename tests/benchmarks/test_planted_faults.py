from pathlib import Path

import numpy as np
from PIL import Image

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.clips import Clip, find_clips
from planted_faults import CLEAN, Made, Outcome, changed, outruns, parse, tables, wanted


def made(step: int) -> Made:
    masks = []
    for index in range(5):
        inside = np.zeros((20, 60), dtype=bool)
        inside[5:15, step * index : step * index + 10] = True
        masks.append(Mask.from_array(inside))
    return Made("drawn", [Picture(np.zeros((20, 60, 3), np.uint8), "frame")] * 5, masks)


def clips(folder: Path) -> list[Clip]:
    for name, grey in (("a", 40), ("b", 200)):
        for index in range(14):
            for part, values in (("frames", np.full((20, 30, 3), grey, np.uint8)), ("masks", np.eye(20, 30))):
                path = folder / name / part / f"{index:05d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values.astype(np.uint8)).save(path)
    return find_clips(folder)


def test_a_fault_of_a_clip_is_planted_into_its_frames(tmp_path: Path) -> None:
    one, other = clips(tmp_path)
    plain = changed(one, other, CLEAN, 14, 0)
    assert {int(picture.pixels.mean()) for picture in plain.pictures} == {40}
    cut = changed(one, other, "cut:3", 14, 0)
    away = [picture.pixels.mean() > 100 for picture in cut.pictures]
    assert [mask.is_empty for mask in cut.masks] == away
    assert 0 < sum(away) < 14
    assert len(changed(one, other, "interjection:3", 12, 0).pictures) == 12


def test_a_low_frame_rate_is_a_fault_only_where_the_object_outruns_it() -> None:
    assert outruns(made(8))
    assert not outruns(made(1))
    assert wanted("speed:5", made(8)) == ("movement", "panning")
    assert wanted("speed:5", made(1)) == ()
    assert wanted(CLEAN, made(8)) == ()
    assert wanted("decoder noised", made(1)) == ("decoder", "frozen")
    assert wanted("memory shuffled", made(1)) == ("memory",)


def test_the_main_finding_must_be_right() -> None:
    right = Outcome("a", "cut:3", ("cut",), ("cut", "hidden"))
    among = Outcome("a", "cut:3", ("cut",), ("hidden", "cut"))
    false = Outcome("a", CLEAN, (), ("blur",))
    quiet = Outcome("a", CLEAN, (), ())
    assert [one.is_right for one in (right, among, false, quiet)] == [True, False, False, True]
    assert [one.is_among for one in (right, among, false, quiet)] == [True, True, False, True]
    text = tables([right, among, false, quiet])
    rows = [[cell.strip() for cell in row.split("|")] for row in text.splitlines()]
    assert ["", "all planted", "1 of 2", "2", ""] in rows
    assert ["", "no fault", "1 of 2", "1", ""] in rows
    assert ["", "a", CLEAN, "no fault", "blur", ""] in rows


def test_the_measurement_is_on_clips_that_chose_nothing() -> None:
    assert parse([]).set == "davis2016_val"
    assert parse(["--faults", "cut:3"]).faults == ["cut:3"]
