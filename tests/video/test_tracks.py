import csv
import io

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.video.tracker import State, Tracked, TrackedFrame, Why
from kiridashi.video.tracks import header, rows


def test_a_line_for_each_object() -> None:
    full = np.zeros((10, 20), bool)
    full[2:4, 5:9] = True
    full[4, 5] = True
    frame = TrackedFrame(
        7,
        (10, 20),
        {
            3: Tracked(State.FOUND, 0.875, Mask.from_array(full)),
            1: Tracked(State.LOST, 0.25, Mask.empty((10, 20)), Why.SCORE),
        },
    )
    first, second = csv.DictReader(io.StringIO(header() + rows(frame)))
    rows_, columns = np.nonzero(full)
    assert first["frame"] == "7"
    assert (first["object"], first["state"], first["why"], first["score"]) == ("3", "found", "", "0.8750")
    assert first["area"] == "9"
    assert float(first["centre_x"]) == round(columns.mean() + 0.5, 2)
    assert float(first["centre_y"]) == round(rows_.mean() + 0.5, 2)
    assert [first[key] for key in ("x0", "y0", "x1", "y1")] == ["5", "2", "9", "5"]
    assert (second["state"], second["why"], second["area"]) == ("lost", "low score", "0")
    assert {second[key] for key in ("centre_x", "centre_y", "x0", "y0", "x1", "y1")} == {""}


def test_a_frame_without_objects_has_no_line() -> None:
    assert rows(TrackedFrame(0, (4, 4), {})) == ""
