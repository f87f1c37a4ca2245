import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from training.config import RunConfig, read_config
from training.loop import BEST, CHECKPOINT, Loop
from training.run import make_stage
from training.scenes import Scene
from training.transition.crops import Crops, cut_crop
from training.transition.ship import main, shipped_bytes
from training.transition.stage import TransitionStage

from kiridashi.core.errors import InputError
from kiridashi.reference.transition.design import Design, design_from_json, make_unet

ROOT = Path(__file__).resolve().parents[3]
SMALL = Design(side=16, channels=(8, 16), head=8)


@pytest.fixture
def goods(tmp_path: Path) -> Path:
    """A data folder with 24 plain red pictures as its only set."""
    folder = tmp_path / "data" / "grocery_store" / "images"
    folder.mkdir(parents=True)
    for number in range(24):
        cv2.imwrite(str(folder / f"{number:02}.jpg"), np.full((40, 40, 3), (20, 20, 220), np.uint8))
    return tmp_path / "data"


def config(out: Path, data: Path, **changes: object) -> RunConfig:
    base = RunConfig(
        "transition",
        out,
        data,
        steps=2,
        batch=8,
        workers=0,
        warmup=1,
        checkpoint_every=1,
        validate_every=2,
        options={"crops": {"surfaces": 0.02, "goods": 0.98}, "validation": 8},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_the_model_learns_what_the_pictures_look_like(tmp_path: Path, goods: Path) -> None:
    run = Loop(
        TransitionStage(config(tmp_path / "run", goods), SMALL),
        config(tmp_path / "run", goods, steps=30, learning_rate=5e-3, average=0.9, validate_every=30),
    )
    before = run.stage.validate()["score"]
    figures = run.run()
    # Predicting no noise at all costs 1.
    assert before < -0.8
    assert figures["score"] > -0.9
    quarters = [figures[f"quarter_{part}"] for part in range(1, 5)]
    assert -figures["score"] == pytest.approx(np.mean(quarters), abs=1e-3)


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path, goods: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Loop(TransitionStage(config(whole, goods), SMALL), config(whole, goods)).run()
    first = Loop(TransitionStage(config(parts, goods), SMALL), config(parts, goods))
    first._train_on(next(first._batches()))
    first._checkpoint()
    torch.manual_seed(5)
    Loop(TransitionStage(config(parts, goods), SMALL), config(parts, goods)).run()
    one, two = load_file(whole / CHECKPOINT), load_file(parts / CHECKPOINT)
    assert all(torch.equal(value, two[name]) for name, value in one.items() if name.startswith("model."))
    assert (parts / BEST).is_file()


def test_the_shipped_configuration_names_this_stage_and_trains_a_small_network(tmp_path: Path) -> None:
    shipped = read_config(ROOT / "training" / "configs" / "transition.toml")
    stage = make_stage(replace(shipped, data=tmp_path, sources=None))
    assert isinstance(stage, TransitionStage)
    assert sum(value.numel() for value in stage.trained().values()) < 3_000_000
    crop = stage.items[7]
    assert crop.shape == (3, 64, 64)
    assert crop.dtype == torch.uint8


def test_crops_depend_on_their_index_alone_and_splits_differ(goods: Path) -> None:
    def crops(split: str) -> Crops:
        return Crops(goods, None, {"surfaces": 1.0, "goods": 1.0}, split, 16, 3)

    train = crops("train")
    first = train[4]
    train[9]
    assert torch.equal(train[4], first)
    assert not torch.equal(train[4], train[5])
    assert len(crops("train")._goods) == 22
    assert crops("validation")._goods.names == ("11", "23")


def test_a_crop_shows_the_whole_scene_an_object_or_a_part() -> None:
    pixels, objects = np.zeros((180, 270, 3), np.uint8), np.zeros((180, 270), np.uint8)
    pixels[60:120, 150:210] = 255
    objects[60:120, 150:210] = 1
    crops = [cut_crop(Scene(pixels, objects), 32, np.random.default_rng(seed)) for seed in range(60)]
    shares = np.array([(crop > 127).mean() for crop in crops])
    # The object fills 7 % of the scene; around it there is room of at most 0.6 times its size.
    whole, around = (shares > 0.06) & (shares < 0.09), (shares > 0.35) & (shares < 0.92)
    assert 0.25 < whole.mean() < 0.6
    assert 0.15 < around.mean() < 0.5


def test_shipped_files_hold_the_network_in_half_precision(tmp_path: Path) -> None:
    state = make_unet(seed=1).state_dict()
    save_file(state, tmp_path / "best.safetensors")
    main([str(tmp_path / "best.safetensors"), "--out", str(tmp_path)])
    halves = load_file(tmp_path / "compact.safetensors")
    assert {value.dtype for value in halves.values()} == {torch.float16}
    assert all(torch.equal(halves[name], value.half()) for name, value in state.items())
    design, facts = design_from_json((tmp_path / "compact.json").read_text())
    assert design == Design()
    content = (tmp_path / "compact.safetensors").read_bytes()
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    with pytest.raises(InputError, match="not of the design"):
        shipped_bytes({"a": torch.zeros(1)})
    large = {name: value + 1e6 for name, value in state.items()}
    with pytest.raises(InputError, match="not finite"):
        shipped_bytes(large)
