"""Our session against transformers' own on the same weights and frames."""

from collections.abc import Callable, Mapping
from typing import Any, cast
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from transformers.models.edgetam_video.modeling_edgetam_video import EdgeTamVideoInferenceSession
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.preprocess import to_input
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions, ObjectResult

Events = Mapping[int, Mapping[int, Prompt | Mask]]
Stock = list[dict[int, tuple[Tensor, float]]]
FULL_PRECISION = MemoryOptions(dtype=torch.float32)


def run_stock(model: PromptableModel, clip: list[Picture], events: Events) -> Stock:
    """(logits, object score) of each object in each frame by the library's streaming session.

    The library rounds its memories to bfloat16, which turns a difference in the last bit of a sum into one
    of 1/256 and, over some frames, into another mask. Both sides keep float32 here.
    """
    with patch.object(torch, "bfloat16", torch.float32):
        return _run_stock(model, clip, events)


def _run_stock(model: PromptableModel, clip: list[Picture], events: Events) -> Stock:
    sessions = {"sam2": Sam2VideoInferenceSession, "edgetam": EdgeTamVideoInferenceSession}
    height, width = clip[0].size
    session = sessions[model.card.family](
        video=None, video_height=height, video_width=width, dtype=torch.float32
    )
    results = []
    for frame, picture in enumerate(clip):
        prompts = events.get(frame, {})
        for object_id, prompt in prompts.items():
            index = session.obj_id_to_idx(object_id)
            if isinstance(prompt, Mask):
                inside = torch.from_numpy(prompt.to_array()).float()[None, None]
                session.add_mask_inputs(index, frame, inside)
            else:
                session.add_point_inputs(index, frame, _stock_points(model, prompt, picture.size))
        session.obj_with_new_inputs = list(prompts)
        output = model.net(inference_session=session, frame=to_input(picture, model.card))
        scores = output.object_score_logits.flatten().tolist()
        rows = zip(output.object_ids, output.pred_masks[:, 0], scores, strict=True)
        results.append({object_id: (logits, score) for object_id, logits, score in rows})
    return results


def _stock_points(model: PromptableModel, prompt: Prompt, size: tuple[int, int]) -> dict[str, Any]:
    """A box is two points with labels 2 and 3 there."""
    box = () if prompt.box is None else ((*prompt.box[:2], 2), (*prompt.box[2:], 3))
    points = torch.tensor([*box, *prompt.points], dtype=torch.float32)
    scale = torch.tensor([model.card.image_size / size[1], model.card.image_size / size[0]])
    return {
        "point_coords": (points[:, :2] * scale)[None, None],
        "point_labels": points[:, 2].int()[None, None],
    }


def assert_close(ours: ObjectResult, logits: Tensor, score: float) -> None:
    """Masks agree on 99.9 % of pixels; logits and scores are close."""
    assert ((ours.logits > 0) == (logits > 0)).float().mean() >= 0.999
    torch.testing.assert_close(ours.logits, logits, rtol=1e-3, atol=5e-3)
    assert ours.object_score == pytest.approx(score, abs=1e-3)


def assert_equal(model: PromptableModel, clip: list[Picture], events: Events) -> None:
    """Our session gives what the library's gives, in every frame, and the masks say something."""
    stock, session = run_stock(model, clip, events), model.video(FULL_PRECISION)
    covered = []
    for frame, (picture, expected) in enumerate(zip(clip, stock, strict=True)):
        result = session.step(picture, events.get(frame))
        assert set(result.objects) == set(expected)
        for object_id, (logits, score) in expected.items():
            assert_close(result[object_id], logits, score)
            covered.append(float((logits > 0).float().mean()))
    assert 0.02 < sum(covered) / len(covered) < 0.98, "the masks say nothing: all or no pixels are inside"


@pytest.mark.parametrize("kind", ["mask", "point", "box"])
@pytest.mark.parametrize("name", ["tiny_sam2", "tiny_compact"])
def test_follows_as_stock(
    name: str, kind: str, request: pytest.FixtureRequest, make_clip: Callable[..., Any], disc: Mask
) -> None:
    prompts: dict[str, Prompt | Mask] = {
        "mask": disc,
        "point": Prompt(points=((38, 50, 1),)),
        "box": Prompt(box=(15, 25, 70, 80)),
    }
    # 20 frames with a mask: more than 7 memories and more than 16 pointers, so that the oldest fall out.
    clip = make_clip(20 if kind == "mask" else 10)
    assert_equal(request.getfixturevalue(name), clip, {0: {1: prompts[kind]}})


def test_follows_as_stock_at_256_pixels(
    make_compact: Callable[..., Any], make_clip: Callable[..., Any]
) -> None:
    clip = make_clip(9, (256, 256))
    assert_equal(make_compact(256), clip, {0: {1: Prompt(points=((76, 102, 1), (200, 200, 0)))}})


def test_second_prompt_as_stock(
    tiny_sam2: PromptableModel, make_clip: Callable[..., Any], disc: Mask
) -> None:
    again = Prompt(points=((60, 50, 1),), box=(30, 20, 90, 90))
    assert_equal(tiny_sam2, make_clip(12), {0: {1: disc}, 4: {1: again}})


def test_late_object_as_stock(
    tiny_compact: PromptableModel, make_clip: Callable[..., Any], disc: Mask
) -> None:
    """Each object is compared with a library session of its own.

    When one object is prompted, the library's session binarises the memories of all objects of that
    frame; SAM 2's original code and ours binarise that object's only.
    """
    clip, start = make_clip(12), 4
    late = Prompt(points=((100, 90, 1), (38, 50, 0)))
    first = run_stock(tiny_compact, clip, {0: {1: disc}})
    second = run_stock(tiny_compact, clip[start:], {0: {2: late}})
    session, events = tiny_compact.video(FULL_PRECISION), cast(Events, {0: {1: disc}, start: {2: late}})
    for frame, picture in enumerate(clip):
        result = session.step(picture, events.get(frame))
        assert_close(result[1], *first[frame][1])
        if frame >= start:
            assert_close(result[2], *second[frame - start][2])


def test_edgetam_as_stock(tiny_edgetam: PromptableModel, make_clip: Callable[..., Any], disc: Mask) -> None:
    assert_equal(tiny_edgetam, make_clip(12), {0: {1: disc}})


def test_absent_object_as_stock(
    make_sam2: Callable[..., Any], make_clip: Callable[..., Any], disc: Mask
) -> None:
    """The decoder says "not here" in every frame: masks and pointers are the network's own for that."""
    model, clip = make_sam2(object_score=-4.0), make_clip(9)
    stock, session = run_stock(model, clip, {0: {1: disc}}), model.video(FULL_PRECISION)
    for frame, picture in enumerate(clip):
        ours = session.step(picture, {1: disc} if frame == 0 else None)[1]
        logits, score = stock[frame][1]
        assert_close(ours, logits, score)
        assert ours.present is (frame == 0)
        assert ours.mask.is_empty is (frame > 0)
