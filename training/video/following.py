"""How much memory a session needs to follow an object, and how that memory should be matched.

    python -m training.video.following --data DATA --sources runs/sources

Every setting follows the same clips from the mask of their first frame with the product's own session. The
clips are the held-out ones of `training.video.clips`, none of them from an evaluation set; but the compact
model's decoder was trained on frames of the real sequences among them. The first line is the model as it
comes; each other line changes one thing. IoU is the mean over a clip's frames after the first, pixels of
which nobody knows left out; a frame without the object counts 1 where nothing is found, else 0. The lead is
over the first line, clip by clip. Both come with 95 % bootstrap intervals over clips. Presence is the share
of the frames in which the session says rightly whether the object is there.

A model that attends to its memory instead of matching gets the lines of `recent` only.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.intervals import bootstrap_mean, paired_difference
from kiridashi.evaluate.metrics import iou
from kiridashi.evaluate.tables import markdown
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions, VideoSession
from kiridashi.models.video.matching import MatchingOptions
from training.image.windows import FRAME
from training.scenes.scene import IGNORE
from training.video.clips import TARGET, Clip, ClipMaker

Array = NDArray[np.float64]
FRAMES = 8
RECENTS = (0, 1, 2, 4, 6)
NEARESTS = (1, 8, 16, 32)
TEMPERATURES = (0.02, 0.05, 0.1)
GAINS = (1.0, 2.0, 4.0)
# Of the object in the session.
OBJECT = 1
SEED = 20_262


@dataclass(frozen=True)
class Setting:
    """One way to follow.

    Attributes:
        name: what differs from the model as it comes.
        memory: limits of the memory.
        matching: how it is matched.
    """

    name: str
    memory: MemoryOptions = field(default_factory=MemoryOptions)
    matching: MatchingOptions = field(default_factory=MatchingOptions)


def settings_for(model: PromptableModel) -> list[Setting]:
    """The model as it comes, then every setting that changes one thing.

    Raises:
        UsageError: the model cannot follow objects.
    """
    recent, usual = model.video().options.recent, MatchingOptions()
    settings = [Setting(f"recent {n}", MemoryOptions(recent=n)) for n in RECENTS if n != recent]
    if not model.card.recalls_by_matching:
        return [Setting(f"as it comes: recent {recent}"), *settings]
    votes = {f"nearest {n}": MatchingOptions(nearest=n) for n in NEARESTS}
    votes |= {f"temperature {t:g}": MatchingOptions(temperature=t) for t in TEMPERATURES}
    votes |= {f"gain {g:g}": MatchingOptions(gain=g) for g in GAINS}
    settings += [Setting(name, matching=vote) for name, vote in votes.items() if vote != usual]
    figures = f"nearest {usual.nearest}, temperature {usual.temperature:g}, gain {usual.gain:g}"
    return [Setting(f"as it comes: recent {recent}, {figures}"), *settings]


def follow(model: PromptableModel, settings: Sequence[Setting], clip: Clip) -> Array:
    """(settings, 2) mean IoU of the frames after the first, and the share in which presence is right."""
    sessions = [VideoSession(model, one.memory, one.matching) for one in settings]
    first = Mask.from_array(clip.objects[0] == TARGET)
    rows = []
    # Frame by frame, so that each is encoded once for all.
    for number, (pixels, objects) in enumerate(zip(clip.pixels, clip.objects, strict=True)):
        picture = Picture(pixels)
        found = [session.step(picture, {} if number else {OBJECT: first})[OBJECT] for session in sessions]
        if number:
            inside, unknown = objects == TARGET, objects == IGNORE
            rows.append(
                [(iou(one.mask.to_array(), inside, unknown), one.present == inside.any()) for one in found]
            )
    means: Array = np.array(rows, dtype=np.float64).mean(axis=0)
    return means


def measure(
    model: PromptableModel, settings: Sequence[Setting], maker: ClipMaker, count: int, seed: int = SEED
) -> Array:
    """(clips, settings, 2) what `follow` gives on each of `count` clips."""
    clips = (maker.draw(np.random.default_rng((seed, number))) for number in range(count))
    return np.stack([follow(model, settings, clip) for clip in clips])


def table(settings: Sequence[Setting], measured: Array) -> str:
    """One line a setting."""
    rows = []
    for column, one in enumerate(settings):
        overlaps, right = measured[:, column].T
        lead = paired_difference(overlaps, measured[:, 0, 0])
        shown = f"{lead.mean:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}]" if column else ""
        rows.append((one.name, str(bootstrap_mean(overlaps)), shown, f"{right.mean():.3f}"))
    return markdown(("setting", "mean IoU", "lead", "presence"), rows)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the training sets")
    parser.add_argument("--sources", type=Path, help="folder of training.scenes.fetch")
    parser.add_argument("--model", default="compact", help="a name of the catalogue or a model folder")
    parser.add_argument("--clips", type=int, default=24, help="so many")
    parser.add_argument("--seed", type=int, default=SEED, help="of the clips")
    options = parser.parse_args(arguments)
    model = load_model(options.model)
    settings = settings_for(model)
    maker = ClipMaker(options.data, options.sources, None, "validation", FRAME, FRAMES)
    measured = measure(model, settings, maker, options.clips, options.seed)
    print(f"{options.clips} clips of {FRAMES} frames, {model.card.name}")
    print(table(settings, measured))


if __name__ == "__main__":
    main()
