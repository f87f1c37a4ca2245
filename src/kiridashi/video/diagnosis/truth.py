"""True masks of a clip, read when they are asked for."""

from pathlib import Path

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.data.files import one_line
from kiridashi.data.masks import read_mask
from kiridashi.data.targets import find_targets
from kiridashi.video.clip import Clip, FrameFolder


class TrueMasks:
    """The masks of a folder, one for each frame, in natural order; non-zero is inside.

    Args:
        folder: of the masks.
        clip: that they belong to.

    Raises:
        InputError: there are not as many masks as frames.
    """

    def __init__(self, folder: Path, clip: Clip) -> None:
        self._files = [target.path for target in find_targets([folder]) if target.path.parent == folder]
        expected = clip.expected
        # What a video file says of its length may be wrong by a few.
        if isinstance(clip, FrameFolder) and len(self._files) != expected:
            raise InputError(
                one_line(
                    f"{folder}: {len(self._files)} masks for {expected} frames; every frame has its mask"
                )
            )

    def __call__(self, place: int) -> Mask | None:
        """The mask of a frame; None beyond the last.

        Raises:
            InputError: its file cannot be used.
        """
        return read_mask(self._files[place]) if place < len(self._files) else None
