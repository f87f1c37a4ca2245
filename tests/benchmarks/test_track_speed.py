from collections.abc import Callable
from dataclasses import replace

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.positions import KeptPositions
from kiridashi.models.promptable import PromptableModel
from track_speed import ATTENTION, FULL, OURS, STOCK, Run, follow, parse, random_model, speed, table

Clip = Callable[..., list[Picture]]


def test_speed_is_of_frames_with_a_full_memory() -> None:
    def run(slow: float) -> Run:
        # The first frames are those that must not count.
        return Run((90.0,) * (FULL + 1) + (1.0 * slow, 2.0 * slow, 3.0 * slow), (), ())

    rows = speed([{OURS: run(1), STOCK: run(3)}])
    assert rows[0]["frame_s"] == 2
    assert rows[0]["ratio"] == 3
    assert rows[0]["frames"] == 3
    assert (rows[0]["least_ratio"], rows[0]["greatest_ratio"]) == (3, 3)
    assert rows[1]["ratio"] == 1


def test_first_and_last_frame_do_not_count() -> None:
    assert Run((1.0,) * 4, (1.0, 0.5, 0.7, 0.0), (1.0, 0.3, 0.5, 0.0)).j_and_f == pytest.approx(0.5)


def test_all_sides_follow_with_the_same_weights(tiny_compact: PromptableModel, make_clip: Clip) -> None:
    pictures = make_clip(4)
    truths = [Mask.from_array(picture.pixels[..., 0] == 230) for picture in pictures]
    model = PromptableModel(tiny_compact.net, replace(tiny_compact.card, recalls_by_matching=True))
    runs, agreement = follow(model, pictures, truths, known=True)
    assert list(runs) == [OURS, ATTENTION, STOCK]
    assert all(len(run.seconds) == len(run.j) == len(run.f) == 4 for run in runs.values())
    # The same algorithm on the same weights.
    assert agreement[ATTENTION] > 0.98
    assert set(agreement) == {OURS, ATTENTION}
    # The stock side has its own copy, which is as the library made it.
    assert isinstance(model.net.vision_encoder.neck.position_encoding, KeptPositions)


def test_a_table_of_one_network(tiny_sam2: PromptableModel, make_clip: Clip) -> None:
    pictures = make_clip(FULL + 2)
    truths = [Mask.from_array(picture.pixels[..., 0] == 230) for picture in pictures]
    runs, agreement = follow(tiny_sam2, pictures, truths, known=False)
    assert list(runs) == [OURS, STOCK]
    rows = [row | {"agreement": agreement.get(row["side"], 1.0)} for row in speed([runs])]
    text = table({"network": "tiny", "input": 128, "rows": rows})
    assert "tiny at 128 px" in text
    assert text.count("\n| ") >= 3


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="networks are"):
        random_model("resnet")
    with pytest.raises(SystemExit):
        parse(["--random-frames", str(FULL)])
    assert parse([]).networks.startswith("compact,")
