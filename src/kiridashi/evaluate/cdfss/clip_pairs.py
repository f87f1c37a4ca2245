"""Distant frames of one clip as reference and target: the same object, moved and seen anew."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.data.masks import read_mask
from kiridashi.evaluate.cdfss.drawing import DEFAULT_EPISODES
from kiridashi.evaluate.clips import Clip, find_clips
from kiridashi.evaluate.episodes import Episode, Example

# References come from the first quarter; a target is at least half the clip behind them.
EARLY, APART = 0.25, 0.5


class ClipPairs:
    """The clips of a set as classes, their frames as pictures.

    Frames without the object serve neither as reference nor as target.

    Attributes:
        name: of the folder.
        classes: ids (`CLIP/STEM`) of the frames with the object, by clip.
    """

    def __init__(self, folder: Path) -> None:
        """Open a folder `SET/CLIP/frames` with `SET/CLIP/masks`, and scan the masks.

        Raises:
            InputError: there is no clip, a frame lacks its mask, or no clip shows the object both in
                its first quarter and half the clip later.
        """
        self.name = folder.resolve().name
        self._clips = {clip.name: clip for clip in find_clips(folder)}
        shown = {
            name: [index for index, path in enumerate(clip.masks) if not read_mask(path).is_empty]
            for name, clip in self._clips.items()
        }
        self._shown = {
            name: frames for name, frames in shown.items() if _early(frames, len(self._clips[name]))
        }
        if not self._shown:
            raise InputError(f"{folder}: no clip shows its object early and again half the clip later")
        self._index = {
            _id(self._clips[name], index): index for name, frames in self._shown.items() for index in frames
        }

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the frames with the object, by clip."""
        return {
            name: tuple(_id(self._clips[name], index) for index in frames)
            for name, frames in self._shown.items()
        }

    def read(self, name: str, label: str) -> Example:
        """A frame and its mask."""
        picture, mask = self._clips[label].read(self._index[name])
        return Example(picture, mask, Mask.empty(picture.size))

    def draw(self, shots: int, episodes: int | None, seed: int) -> list[Episode]:
        """Draw pairs: the clip is the index modulo the number of clips.

        The target is drawn first, then distinct early frames at least half the clip before it, as many
        as there are. Each episode depends on the seed and its index alone.

        Args:
            shots: number of references, at least 1.
            episodes: number of episodes; the protocol's 600 when None.
            seed: equal seeds give equal episodes.

        Raises:
            UsageError: shots or episodes below 1.
        """
        count = DEFAULT_EPISODES if episodes is None else episodes
        if shots < 1 or count < 1:
            raise UsageError(f"shots and episodes must be at least 1, got {shots} and {count}")
        names = list(self._shown)
        drawn = []
        for index in range(count):
            clip = self._clips[names[index % len(names)]]
            frames = self._shown[clip.name]
            early = _early(frames, len(clip))
            rng = np.random.default_rng([seed, index])
            late = [frame for frame in frames if frame - early[0] >= APART * len(clip)]
            target = late[rng.integers(len(late))]
            near = [frame for frame in early if target - frame >= APART * len(clip)]
            supports = [near[i] for i in rng.permutation(len(near))[:shots]]
            ids = tuple(_id(clip, frame) for frame in supports)
            drawn.append(Episode(index, clip.name, _id(clip, target), ids))
        return drawn


def _early(frames: list[int], length: int) -> list[int]:
    """Frames of the first quarter that have a frame half the clip behind them."""
    last = frames[-1] if frames else -1
    return [frame for frame in frames if frame < max(EARLY * length, 1) and last - frame >= APART * length]


def _id(clip: Clip, index: int) -> str:
    return f"{clip.name}/{clip.frames[index].stem}"
