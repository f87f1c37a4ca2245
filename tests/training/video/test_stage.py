from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training.config import RunConfig
from training.loop import Loop
from training.network import TRUNK
from training.video.carried import KEPT, SPOILED, WITHHELD, CarriedMasks
from training.video.stage import VideoStage, draw_times

OPTIONS = {
    "window": 64,
    "frames": 3,
    "validation": 2,
    "validation_frames": 3,
    "validation_side": 64,
    "clips": {"stills": 1, "sequences": 1},
}


def config_for(out: Path, data: Path, **options: object) -> RunConfig:
    return RunConfig(
        stage="video", out=out, data=data, steps=2, batch=2, workers=0, options=OPTIONS | options
    )


def test_two_steps(tiny_data: Path, tmp_path: Path) -> None:
    config = config_for(tmp_path / "run", tiny_data)
    stage = VideoStage(config)
    before = {name: value.clone() for name, value in stage.net.state_dict().items()}
    figures = Loop(stage, config).run()
    assert set(figures) == {"score", "without_memory"}
    assert all(0 <= value <= 1 for value in figures.values())
    after = load_file(config.out / "last.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("memory_attention.layers.") for name in changed)
    assert any(name.startswith("memory_encoder.") for name in changed)
    assert not any(
        name.startswith((TRUNK, "vision_encoder.", "mask_decoder.", "prompt_encoder.")) for name in changed
    )
    assert Loop(VideoStage(config), config).run() == figures, "a finished run returns at once"


def test_the_decoder_can_be_trained_too(tiny_data: Path, tmp_path: Path) -> None:
    names = VideoStage(config_for(tmp_path, tiny_data, decoder=True)).trained()
    assert any(name.startswith("mask_decoder.") for name in names)
    assert not any(name.startswith("vision_encoder.") for name in names)


def test_losses_are_those_of_the_step(tiny_data: Path, tmp_path: Path) -> None:
    stage = VideoStage(config_for(tmp_path, tiny_data))
    batch = stage.collate([stage.items[0], stage.items[1]])
    first, again = stage.loss(batch, 5)[0], stage.loss(batch, 5)[0]
    assert torch.equal(first, again)


def test_times_rise_from_the_first_frame() -> None:
    drawn = [draw_times(5, np.random.default_rng(seed)) for seed in range(40)]
    assert [0, 1, 2, 3, 4] in drawn
    assert max(times[-1] for times in drawn) > 6
    assert all(times[0] == 0 and min(np.diff(times)) >= 1 for times in drawn)


def test_a_given_mask_reaches_the_decoder_as_logits(tiny_data: Path, tmp_path: Path) -> None:
    net = VideoStage(config_for(tmp_path, tiny_data)).net
    inside = torch.zeros(1, 1, 8, 8)
    inside[..., :4] = 1
    assert net.mask_downsample(inside)[0, 0].tolist() == [pytest.approx([10.0, -10.0], abs=1e-4)] * 2


def test_what_becomes_of_carried_masks() -> None:
    carried = torch.full((60, 1, 16, 16), -8.0)
    carried[:, :, 4:9, 4:9] = 8.0
    masks = CarriedMasks(torch.zeros(60, 3, 16, 16), np.random.default_rng(0))
    assert set(masks.fates) == {KEPT, WITHHELD, SPOILED}
    changed = masks(1, carried)
    same = (changed == carried).flatten(1).all(dim=1).numpy()
    assert same[masks.fates == KEPT].all()
    assert (changed[masks.fates == WITHHELD] == 0).all()
    assert same[masks.fates == SPOILED].mean() < 0.5
    assert set(carried.flatten().tolist()) == {-8.0, 8.0}, "the carried masks themselves stay as they were"
