import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import Dataset
from training.checkpoint import AVERAGE, MODEL, RANDOM
from training.config import RunConfig, read_config
from training.loop import BEST, CHECKPOINT, Loop

from kiridashi.core.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


class Lines(Dataset[Tensor]):
    def __getitem__(self, index: int) -> Tensor:
        return torch.randn(3, generator=torch.Generator().manual_seed(index))


class Fitting:
    """Learns the sum of three numbers, with a random disturbance that a resumed run must repeat."""

    def __init__(self, worse_after: int = 10**9) -> None:
        torch.manual_seed(0)
        self.net: nn.Module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.items = Lines()
        self._validations, self._worse_after = 0, worse_after

    def trained(self) -> dict[str, nn.Parameter]:
        return dict(self.net.named_parameters())

    def collate(self, items: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(items))

    def loss(self, batch: Tensor, step: int) -> tuple[Tensor, dict[str, float]]:
        noisy = batch + 0.01 * torch.randn_like(batch)
        loss = (self.net(noisy)[:, 0] - batch.sum(1)).square().mean()
        return loss, {"steps": float(step)}

    def validate(self) -> dict[str, float]:
        self._validations += 1
        return {"score": float(self._validations <= self._worse_after)}


def config(folder: Path, **changes: object) -> RunConfig:
    base = RunConfig(
        "image", folder, Path(), steps=12, batch=4, workers=0, warmup=2, checkpoint_every=3, validate_every=6
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_a_run_lowers_the_loss_and_leaves_weights_log_and_plot(tmp_path: Path) -> None:
    run = Loop(Fitting(), config(tmp_path, steps=400, learning_rate=0.05, validate_every=200))
    run.run()
    losses = [line["loss"] for line in run.record.lines("train")]
    assert losses[-1] < 0.2 * losses[0]
    assert all(line["pictures_per_second"] > 0 for line in run.record.lines("train"))
    assert [line["step"] for line in run.record.lines("validation")] == [200, 400]
    assert (tmp_path / "log.png").stat().st_size > 1000
    assert load_file(tmp_path / BEST).keys() == run.stage.net.state_dict().keys()


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Loop(Fitting(), config(whole)).run()
    first = Loop(Fitting(), config(parts))
    batches = first._batches()
    for _ in range(6):
        first._train_on(next(batches))
    first._checkpoint()
    torch.manual_seed(99)
    Loop(Fitting(), config(parts)).run()
    one, two = load_file(whole / CHECKPOINT), load_file(parts / CHECKPOINT)
    assert one.keys() == two.keys()
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_a_finished_run_does_nothing(tmp_path: Path) -> None:
    Loop(Fitting(), config(tmp_path)).run()
    before = (tmp_path / CHECKPOINT).read_bytes()
    Loop(Fitting(), config(tmp_path)).run()
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_the_best_weights_stay_when_later_ones_are_worse(tmp_path: Path) -> None:
    Loop(Fitting(worse_after=1), config(tmp_path)).run()
    state = load_file(tmp_path / CHECKPOINT)
    last = {name.removeprefix(AVERAGE): value for name, value in state.items() if name.startswith(AVERAGE)}
    best = load_file(tmp_path / BEST)
    assert any(not torch.equal(best[name], value) for name, value in last.items())
    assert any(name.startswith(MODEL) for name in state)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    class Broken(Fitting):
        def loss(self, batch: Tensor, step: int) -> tuple[Tensor, dict[str, float]]:
            loss, figures = super().loss(batch, step)
            return loss * float("nan"), figures

    with pytest.raises(FloatingPointError, match="lower the rate"):
        Loop(Broken(), config(tmp_path)).run()


def test_a_checkpoint_of_other_parameters_is_refused(tmp_path: Path) -> None:
    Loop(Fitting(), config(tmp_path)).run()
    other = Fitting()
    other.net = nn.Linear(3, 1)
    with pytest.raises(KeyError, match="start a new run"):
        Loop(other, config(tmp_path, steps=20)).run()


def test_a_configuration_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    shipped = read_config(ROOT / "training" / "configs" / "image.toml")
    assert shipped.stage == "image"
    assert shipped.steps > 0
    path = tmp_path / "run.toml"
    path.write_text('stage = "image"\nout = "a"\ndata = "b"\nsteps = 1\nbatch = 1\nrate = 3\n')
    with pytest.raises(InputError, match="unknown keys rate"):
        read_config(path)
    path.write_text('stage = "video"\nout = "a"\ndata = "b"\nsteps = 1\nbatch = 1\n')
    with pytest.raises(InputError, match="no stage 'video'; known are image, transition"):
        read_config(path)
    path.write_text('stage = "image"\n')
    with pytest.raises(InputError, match="missing"):
        read_config(path)
    with pytest.raises(InputError, match="not a readable"):
        read_config(tmp_path / "absent.toml")


SMALL = """
stage = "image"
out = "{out}"
data = "{data}"
steps = {steps}
batch = 2
workers = {workers}
warmup = 1
checkpoint_every = 1
validate_every = 100

[options]
window = 64
slots = 4
validation = 2

[options.scenes]
surfaces = 1.0
"""


def write_small(folder: Path, name: str, steps: int, workers: int = 0) -> Path:
    path = folder / f"{name}.toml"
    text = SMALL.format(out=folder / name, data=folder / "no data", steps=steps, workers=workers)
    path.write_text(text)
    return path


def test_the_image_stage_runs_from_the_command_line_and_survives_a_kill(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "training.run", "--threads", "1"]
    whole, cut = write_small(tmp_path, "whole", 4), write_small(tmp_path, "cut", 4, workers=1)
    subprocess.run([*command, str(whole)], check=True, env=environment, cwd=tmp_path, timeout=120)
    running = subprocess.Popen(
        [*command, str(cut)], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 100
    while not (tmp_path / "cut" / CHECKPOINT).is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert (tmp_path / "cut" / CHECKPOINT).is_file()
    subprocess.run([*command, str(cut)], check=True, env=environment, cwd=tmp_path, timeout=120)
    one, two = (load_file(tmp_path / name / CHECKPOINT) for name in ("whole", "cut"))
    # The state of torch's own generator tells how the loader worked; nothing here draws from it.
    assert all(torch.equal(value, two[name]) for name, value in one.items() if name != RANDOM)
    lines = [json.loads(line) for line in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "validation"] == [4]
    assert 0 <= lines[-1]["score"] <= 1
