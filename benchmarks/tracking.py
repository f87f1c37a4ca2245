"""Following an object through a video from its first mask, beside two trackers without a network.

    python benchmarks/tracking.py --model compact

Clips of `davis2016_val`. J is the mean IoU of a clip's frames, F the mean of the boundary measure (radius
0.008 of the diagonal), J&F their mean. As in the public DAVIS evaluator the first frame, whose mask is
given, and the last one do not count. The mean is over clips, with a 95 % bootstrap interval over clips;
leads are paired by clip.

- `session`: the model's video session; left out, with the reason, where the model cannot follow objects.
- `prior`: each frame by itself, with the probability of the frame before as the dense prior.
- `still`: the first mask, kept. `flow`: the first mask, moved along OpenCV's DIS optical flow.

Frames per second count encoding, but not the reading of files; every tracker encodes anew.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from common.command import draw, finish, make_parser, open_model, positive
from common.tables import markdown, signed
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.evaluate.baselines.trackers import FlowWarp, Tracker, keep_still
from kiridashi.evaluate.clips import Clip, find_clips
from kiridashi.evaluate.intervals import Interval, bootstrap_mean, paired_difference
from kiridashi.evaluate.metrics import iou
from kiridashi.evaluate.metrics.boundary import boundary_f
from kiridashi.models.promptable import PromptableModel

# Of the object in the session.
OBJECT = 1
BASELINES = ("still", "flow")
# The first frame is given, and the last one does not count: three leave one to measure.
LEAST_FRAMES = 3
# Frames per second beyond which the figure is noise.
FASTEST = 1000
Start = Callable[[Picture, Mask], Tracker]


@dataclass(frozen=True)
class Outcome:
    """How one tracker did on one clip.

    Attributes:
        clip: its name.
        j: mean IoU of the frames that count.
        f: their mean boundary measure.
        frames_per_second: of all frames after the first.
    """

    clip: str
    j: float
    f: float
    frames_per_second: float

    @property
    def j_and_f(self) -> float:
        """Mean of J and F."""
        return (self.j + self.f) / 2


class PriorTracker:
    """Decodes each frame with the probability of the frame before as its prior.

    Args:
        model: with a mask decoder.
        mask: the object in the first frame.
    """

    def __init__(self, model: PromptableModel, mask: Mask) -> None:
        self._model = model
        self._prior: NDArray[np.float32] = mask.to_array().astype(np.float32)

    def __call__(self, frame: Picture) -> Mask:
        """The mask in the next frame."""
        decoded = self._model.decode(self._model.encode(frame), [Prompt(prior=self._prior)])
        best = int(decoded.best()[0])
        self._prior = decoded.probability(0, best)
        return decoded.mask(0, best)


def trackers(model: PromptableModel) -> tuple[dict[str, Start], str]:
    """Every tracker by name, and why the session is not among them, if it is not.

    Raises:
        UsageError: the mask decoder is not trained.
    """
    model.require("mask_decoder", "following an object")

    def fresh() -> PromptableModel:
        """Without the encodings that another tracker left."""
        return PromptableModel(model.net, model.card)

    def start_session(picture: Picture, mask: Mask) -> Tracker:
        session = fresh().video()
        session.step(picture, {OBJECT: mask})
        return lambda frame: session.step(frame)[OBJECT].mask

    starts: dict[str, Start] = {"session": start_session}
    refused = ""
    try:
        model.video()
    except UsageError as error:
        starts, refused = {}, str(error)
    starts |= {"prior": lambda _, mask: PriorTracker(fresh(), mask), "still": keep_still, "flow": FlowWarp}
    return starts, refused


def follow(start: Start, clip: str, pictures: Sequence[Picture], truths: Sequence[Mask]) -> Outcome:
    """Run a tracker through a clip and measure it.

    Args:
        start: of the tracker.
        clip: its name.
        pictures: at least three frames.
        truths: their masks; only the first is shown to the tracker.
    """
    track = start(pictures[0], truths[0])
    began = time.perf_counter()
    found = [track(picture) for picture in pictures[1:]]
    seconds = time.perf_counter() - began
    pairs = [(mask.to_array(), truth.to_array()) for mask, truth in zip(found, truths[1:], strict=True)][:-1]
    j = float(np.mean([iou(mask, truth) for mask, truth in pairs]))
    f = float(np.mean([boundary_f(mask, truth) for mask, truth in pairs]))
    return Outcome(clip, j, f, len(found) / max(seconds, 1e-9))


def measure(
    starts: Mapping[str, Start], clips: Sequence[Clip], most_frames: int | None, console: Console
) -> dict[str, list[Outcome]]:
    """Every tracker on every clip, one tracker after the other."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in starts}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(clips) * len(starts))
        for clip in clips:
            count = min(len(clip), most_frames or len(clip))
            read = [clip.read(index) for index in range(count)]
            pictures, truths = [picture for picture, _ in read], [mask for _, mask in read]
            for name, start in starts.items():
                progress.update(task, description=f"{clip.name}, {name}")
                outcomes[name].append(follow(start, clip.name, pictures, truths))
                progress.advance(task)
    return outcomes


def summarise(outcomes: Mapping[str, Sequence[Outcome]], seed: int) -> list[dict[str, Any]]:
    """One row a tracker: means over clips, and the network's paired leads over the baselines."""
    rows = []
    for name, clips in outcomes.items():
        ours = [outcome.j_and_f for outcome in clips]
        row: dict[str, Any] = {"tracker": name}
        for figure in ("j_and_f", "j", "f"):
            values = [getattr(outcome, figure) for outcome in clips]
            row[figure] = asdict(bootstrap_mean(values, seed=seed))
        rivals = [rival for rival in BASELINES if name not in BASELINES]
        row["ahead_of"] = {
            rival: asdict(paired_difference(ours, [o.j_and_f for o in outcomes[rival]], seed=seed))
            for rival in rivals
        }
        row["frames_per_second"] = float(np.median([outcome.frames_per_second for outcome in clips]))
        row["clips"] = [asdict(outcome) | {"j_and_f": outcome.j_and_f} for outcome in clips]
        rows.append(row)
    return rows


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """Means over clips, then J&F of each clip."""
    means = [
        (
            row["tracker"],
            *(str(Interval(**row[figure])) for figure in ("j_and_f", "j", "f")),
            *(signed(Interval(**row["ahead_of"][b])) if b in row["ahead_of"] else "" for b in BASELINES),
            _rate(row["frames_per_second"]),
        )
        for row in rows
    ]
    titles = ["tracker", "J&F [95 %]", "J [95 %]", "F [95 %]"]
    titles += [f"J&F minus {rival} [95 %]" for rival in BASELINES] + ["frames/s"]
    by_clip = [
        (clip["clip"], *(f"{row['clips'][place]['j_and_f']:.3f}" for row in rows))
        for place, clip in enumerate(rows[0]["clips"])
    ]
    head = ["clip, J&F", *(row["tracker"] for row in rows)]
    return markdown(titles, means) + "\n\n" + markdown(head, by_clip)


def _rate(frames_per_second: float) -> str:
    """A mask that is only kept takes no time worth a figure."""
    return f"{frames_per_second:.1f}" if frames_per_second < FASTEST else f"over {FASTEST}"


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All clips; see the module."""
    starts, refused = trackers(open_model(options))
    clips = draw(find_clips(options.data / "davis2016_val"), options.limit, options.seed)
    rows = summarise(measure(starts, clips, options.frames, console), options.seed)
    note = f"\n\nsession: not measured; {refused}" if refused else ""
    return {"benchmark": "tracking", "text": tables(rows) + note, "refused": refused, "rows": rows}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, "clips")
    parser.add_argument("--frames", type=positive, help="only the first frames of each clip, at least 3")
    options = parser.parse_args(arguments)
    if options.frames is not None and options.frames < LEAST_FRAMES:
        parser.error(f"--frames is at least {LEAST_FRAMES}: the first is given, the last does not count")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    return finish(run, parse(arguments))


if __name__ == "__main__":
    sys.exit(main())
