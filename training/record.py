"""The log of a run: JSON lines, and a plot of them."""

import json
from pathlib import Path

from kiridashi.data.atomic import atomic_path, write_text
from kiridashi.data.lines import append_line, read_jsonl
from training.stage import Figures

LOG, PLOT = "log.jsonl", "log.png"


class Record:
    """Figures by step.

    Args:
        folder: of the run; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log, self._plot = folder / LOG, folder / PLOT

    def add(self, kind: str, step: int, figures: Figures) -> None:
        """Append one line; `kind` is "train" or "validation"."""
        rounded = {name: round(value, 5) for name, value in figures.items()}
        append_line(self._log, json.dumps({"kind": kind, "step": step, **rounded}))

    def lines(self, kind: str) -> list[dict[str, float]]:
        """All lines of a kind, oldest first."""
        if not self._log.is_file():
            return []
        return [line for line in read_jsonl(self._log) if line["kind"] == kind]

    def last(self, kind: str) -> Figures:
        """The newest figures of a kind; empty when there are none."""
        lines = self.lines(kind)
        return {k: v for k, v in lines[-1].items() if k not in ("kind", "step")} if lines else {}

    def cut(self, step: int) -> None:
        """Forget what came after `step`: a resumed run does it again."""
        if self._log.is_file():
            kept = [line for line in read_jsonl(self._log) if line["step"] <= step]
            write_text(self._log, "".join(json.dumps(line) + "\n" for line in kept))

    def plot(self) -> None:
        """Curves of the loss and of every validation figure."""
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt

        train, validation = self.lines("train"), self.lines("validation")
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
        left.plot([line["step"] for line in train], [line["loss"] for line in train], linewidth=0.8)
        left.set(title="training loss", xlabel="step", yscale="log" if train else "linear")
        names = [name for name in (validation[-1] if validation else {}) if name not in ("kind", "step")]
        for name in names:
            right.plot(
                [line["step"] for line in validation], [line.get(name) for line in validation], label=name
            )
        right.set(title="validation", xlabel="step")
        if names:
            right.legend(fontsize=8)
        with atomic_path(self._plot) as temporary:
            figure.savefig(temporary, dpi=110)
        plt.close(figure)
