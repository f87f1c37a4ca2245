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
    clips = [
        open_clip(path.parent.name, path, path.parent / "masks") for path in sorted(folder.glob("*/frames"))
    ]
    if not clips:
        raise InputError(f"{folder}: no clips; a video set holds CLIP/frames/ and CLIP/masks/")
    return clips


def open_clip(name: str, pictures: Path, annotations: Path) -> Clip:
    """A clip of a folder of frames and a folder of PNG masks with the same stems.

    Args:
        name: what reports call it.
        pictures: folder of the frames, which come in the order of their names.
        annotations: folder of the masks.

    Raises:
        InputError: there is no frame, or one without a mask.
    """
    masks = {path.stem: path for path in annotations.glob("*.png")}
    frames = sorted(path for path in pictures.iterdir() if path.is_file()) if pictures.is_dir() else []
    bare = [path.name for path in frames if path.stem not in masks]
    if bare or not frames:
        raise InputError(
            f"{annotations}: every frame of {name} needs a mask; without one: {', '.join(bare[:3]) or 'all'}"
        )
    return Clip(name, tuple(frames), tuple(masks[path.stem] for path in frames))
