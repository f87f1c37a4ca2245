"""The training loop: resumable at any checkpoint, bit for bit on a CPU."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import save
from torch import Tensor
from torch.utils.data import DataLoader

from kiridashi.data.atomic import write_bytes
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import RunConfig
from training.record import Record
from training.stage import Figures, Stage

CHECKPOINT, BEST, LAST = "checkpoint.safetensors", "best.safetensors", "last.safetensors"
LOG_EVERY = 25
LEAST_RATE = 0.01


class Loop:
    """Runs a stage to its last step.

    Args:
        stage: what is trained.
        config: of the run; an existing checkpoint in `config.out` is continued.
        console: for progress.
    """

    def __init__(self, stage: Stage, config: RunConfig, console: Console | None = None) -> None:
        self.stage, self.config = stage, config
        self.console = console or Console()
        self.trained = stage.trained()
        self.average = {name: value.detach().clone() for name, value in self.trained.items()}
        decayed = [value for value in self.trained.values() if value.ndim > 1]
        others = [value for value in self.trained.values() if value.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        self.step = 0
        self.best = -math.inf
        self.record = Record(config.out)

    def run(self) -> Figures:
        """Train to the last step; returns the last validation's figures."""
        self._resume()
        figures: Figures = {}
        started, first = time.perf_counter(), self.step
        for batch in self._batches():
            figures = self._train_on(batch)
            if not math.isfinite(figures["loss"]):
                raise FloatingPointError(f"the loss is {figures['loss']} at step {self.step}; lower the rate")
            if self.step % LOG_EVERY == 0:
                rate = (self.step - first) / (time.perf_counter() - started)
                self._report(figures, rate)
            if self.step % self.config.validate_every == 0 or self.step == self.config.steps:
                self._validate()
            if self.step % self.config.checkpoint_every == 0 or self.step == self.config.steps:
                self._checkpoint()
        self.record.plot()
        return self.record.last("validation")

    def _resume(self) -> None:
        path = self.config.out / CHECKPOINT
        if not path.is_file():
            return
        facts = load_checkpoint(path, self.trained, self.average, self.optimiser)
        self.step, self.best = facts["step"], facts["best"]
        self.record.cut(self.step)
        self.console.print(f"going on at step {self.step} of {self.config.steps}")

    def _batches(self) -> Iterator[Any]:
        size = self.config.batch
        wanted = [list(range(step * size, (step + 1) * size)) for step in range(self.step, self.config.steps)]
        yield from DataLoader(
            self.stage.items,
            batch_sampler=wanted,
            num_workers=self.config.workers,
            collate_fn=self.stage.collate,
            prefetch_factor=3 if self.config.workers else None,
            # Its own: making an iterator must not draw from the state that a checkpoint restores.
            generator=torch.Generator().manual_seed(self.config.seed),
        )

    def _train_on(self, batch: Any) -> Figures:
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * self._rate(self.step)
        loss, figures = self.stage.loss(batch, self.step)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(list(self.trained.values()), self.config.clip)
        self.optimiser.step()
        self.step += 1
        # Short at first, so that an early average is not the fresh weights.
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.trained.items():
                self.average[name].lerp_(value, 1 - decay)
        return {"loss": float(loss.detach()), **figures}

    def _rate(self, step: int) -> float:
        warm = min((step + 1) / max(self.config.warmup, 1), 1.0)
        done = step / max(self.config.steps, 1)
        return warm * (LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * done)))

    def _report(self, figures: Figures, rate: float) -> None:
        pictures = rate * self.config.batch
        left = (self.config.steps - self.step) / rate / 60
        self.record.add("train", self.step, {**figures, "pictures_per_second": pictures})
        shown = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
        self.console.print(
            f"{self.step}/{self.config.steps} {shown} | {pictures:.1f} pictures/s, {left:.0f} min left",
            highlight=False,
        )

    def _validate(self) -> None:
        kept = {name: value.detach().clone() for name, value in self.trained.items()}
        self._put(self.average)
        figures = self.stage.validate()
        self.record.add("validation", self.step, figures)
        self.record.plot()
        self._export(LAST)
        if figures["score"] > self.best:
            self.best = figures["score"]
            self._export(BEST)
        self._put(kept)
        shown = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
        self.console.print(f"validation at {self.step}: {shown}", highlight=False)

    def _put(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(values[name])

    def _export(self, name: str) -> None:
        """The network's whole state with the averaged weights, float32."""
        state = {key: value.cpu().contiguous().clone() for key, value in self.stage.net.state_dict().items()}
        write_bytes(self.config.out / name, save(state))

    def _checkpoint(self) -> None:
        facts = {"step": self.step, "best": self.best}
        path: Path = self.config.out / CHECKPOINT
        save_checkpoint(path, self.trained, self.average, self.optimiser, facts)
