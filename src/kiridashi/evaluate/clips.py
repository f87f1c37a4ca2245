"""Video sets on disk: `SET/CLIP/frames/` with a mask of the same stem in `SET/CLIP/masks/`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.masks import read_mask
from kiridashi.data.pictures import read_picture


@dataclass(frozen=True)
class Clip:
    """One sequence in which every frame has its mask.

    Attributes:
        name: of its folder.
        frames: picture files in order.
        masks: mask files, one a frame.
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, index: int) -> tuple[Picture, Mask]:
        """One frame and its mask.

        Raises:
            InputError: a file cannot be used.
            SizeMismatchError: the mask is not of the frame's size.
        """
        picture, mask = read_picture(self.frames[index]), read_mask(self.masks[index])
        if mask.size != picture.size:
            raise SizeMismatchError(picture.size, mask.size, self.masks[index].name)
        return picture, mask

    def __iter__(self) -> Iterator[tuple[Picture, Mask]]:
        return (self.read(index) for index in range(len(self)))


def find_clips(folder: Path) -> list[Clip]:
    """The clips of a set, by name.

    Raises:
        InputError: there is none, or a clip has a frame without a mask.
    """
    clips = [_open(path.parent) for path in sorted(folder.glob("*/frames"))]
    if not clips:
        raise InputError(f"{folder}: no clips; a video set holds CLIP/frames/ and CLIP/masks/")
    return clips


def _open(folder: Path) -> Clip:
    masks = {path.stem: path for path in (folder / "masks").glob("*.png")}
    frames = sorted(path for path in (folder / "frames").iterdir() if path.is_file())
    bare = [path.name for path in frames if path.stem not in masks]
    if bare or not frames:
        raise InputError(f"{folder}: every frame needs a mask; without one: {', '.join(bare[:3]) or 'all'}")
    return Clip(folder.name, tuple(frames), tuple(masks[path.stem] for path in frames))
