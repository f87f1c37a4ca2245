"""Where the batches of a training come from: features of a frozen trunk, kept; or pixels, read again."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import save
from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.atomic import write_bytes
from kiridashi.data.pictures import read_picture
from kiridashi.data.tensors import read_tensors
from kiridashi.localize.gtformer.compact import FrozenTrunk, Seen
from kiridashi.localize.gtformer.deit import SIDE, to_pixels
from kiridashi.localize.gtformer.global_tokens import thumbnail
from kiridashi.localize.training.augmentation import View, views_of

FORMAT = "kiridashi-seen-1"
# Features up to this stay in memory; beyond, each batch reads its own from the disk.
MOST_MEMORY = 2 << 30
# Published: resize to 256, random crop of 224, random mirroring.
WIDER = 256

Batch = tuple[Tensor, Tensor]
Tell = Callable[[int, int], None]


class Source(Protocol):
    """A numbered set of pictures as inputs of a network."""

    @property
    def digests(self) -> tuple[str, ...]:
        """Of the pictures' pixels."""
        ...

    @property
    def channels(self) -> int:
        """D_in."""
        ...

    def batch(self, pictures: Sequence[int], generator: torch.Generator | None) -> Batch:
        """Inputs and thumbnails of some pictures.

        Args:
            pictures: their numbers.
            generator: draws the view of each; None: each as it is.
        """
        ...


class FeatureSource:
    """What a frozen trunk saw of each view of each picture, computed once, in half precision.

    Args:
        trunk: looks at the pictures.
        paths: of the pictures.
        views: of each.
        cache: folder in which features outlive this run; None: memory only.
        tell: told (pictures seen, pictures).
        memory: most bytes of features that are held.

    Raises:
        InputError: a picture cannot be read.
        UsageError: the features need more memory than `memory` and there is no folder, or it cannot be
            written.
    """

    def __init__(
        self,
        trunk: FrozenTrunk,
        paths: Sequence[Path],
        views: int,
        cache: Path | None,
        tell: Tell,
        memory: int = MOST_MEMORY,
    ) -> None:
        self._trunk, self._paths, self._cache = trunk, paths, cache
        self._views: list[tuple[View, ...]] = []
        self._held: list[list[Seen]] = []
        self._digests: list[str] = []
        self._fits = True
        for number, path in enumerate(paths):
            picture = read_picture(path)
            self._digests.append(picture.digest)
            self._views.append(views_of(picture.digest, views))
            seen = [self._see(picture, view) for view in self._views[-1]]
            if not number:
                self._fits = self._check(seen, len(paths), memory)
            self._held.append(seen if self._fits else [])
            tell(number + 1, len(paths))

    @property
    def digests(self) -> tuple[str, ...]:
        """Of the pictures' pixels."""
        return tuple(self._digests)

    @property
    def channels(self) -> int:
        """D_in, the channels of the joined maps."""
        return sum(one.shape[0] for one in self._row(0, 0).maps)

    def batch(self, pictures: Sequence[int], generator: torch.Generator | None) -> Batch:
        """(B, N, D_in) patches and (B, 3, 32, 32) thumbnails, float32; see `Source`."""
        rows = []
        for number in pictures:
            count = len(self._views[number])
            view = 0 if generator is None else int(torch.randint(count, (1,), generator=generator))
            rows.append(self._row(number, view))
        maps = [torch.stack(level) for level in zip(*(row.maps for row in rows), strict=True)]
        return self._trunk.patches(maps), torch.stack([row.thumbnail for row in rows]).float()

    def _row(self, number: int, view: int) -> Seen:
        if self._fits:
            return self._held[number][view]
        chosen = self._views[number][view]
        kept = self._read(self._place(self._digests[number], chosen))
        # Another run may have relieved the folder of it.
        return kept or self._see(read_picture(self._paths[number]), chosen)

    def _see(self, picture: Picture, view: View) -> Seen:
        place = self._place(picture.digest, view)
        kept = self._read(place)
        if kept is not None:
            return kept
        seen = self._trunk.see(view.of(picture))
        if place is not None:
            tensors = {f"map{index}": level.contiguous() for index, level in enumerate(seen.maps)}
            write_bytes(place, save({**tensors, "thumbnail": seen.thumbnail.contiguous()}))
        return seen

    def _place(self, digest: str, view: View) -> Path | None:
        if self._cache is None:
            return None
        trunk = self._trunk
        parts = [FORMAT, trunk.fingerprint, str(trunk.levels), str(trunk.grid), digest, view.key]
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return self._cache / "localize" / f"{key}.safetensors"

    def _read(self, place: Path | None) -> Seen | None:
        """Features of a file; None where it is missing, damaged or of other shapes: it is made anew."""
        if place is None or not place.is_file():
            return None
        try:
            tensors, _ = read_tensors(place)
        except InputError:
            return None
        names = [f"map{index}" for index in range(len(self._trunk.levels))]
        if set(tensors) != {*names, "thumbnail"}:
            return None
        return Seen(tuple(tensors[name] for name in names), tensors["thumbnail"])

    def _check(self, seen: Sequence[Seen], count: int, memory: int) -> bool:
        """Whether the features of all pictures fit in memory."""
        tensors = [tensor for one in seen for tensor in (*one.maps, one.thumbnail)]
        needed = count * sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        if needed > memory and self._cache is None:
            raise UsageError(
                f"the features of {count} pictures take {needed / 2**20:.0f} MiB, more than the "
                f"{memory / 2**20:.0f} MiB allowed; give a cache folder, or fewer views or a coarser grid"
            )
        return needed <= memory


class PixelSource:
    """Pictures for a trunk that learns: read, and cropped and mirrored anew, whenever they are needed.

    Args:
        paths: of the pictures.
        tell: told (pictures read, pictures).

    Raises:
        InputError: a picture cannot be read.
    """

    channels = 3

    def __init__(self, paths: Sequence[Path], tell: Tell) -> None:
        self._paths = paths
        found = []
        for number, path in enumerate(paths):
            found.append(read_picture(path).digest)
            tell(number + 1, len(paths))
        self.digests = tuple(found)

    def batch(self, pictures: Sequence[int], generator: torch.Generator | None) -> Batch:
        """(B, 3, 224, 224) pixels and (B, 3, 32, 32) thumbnails, float32; see `Source`."""
        pixels = torch.stack([self._one(self._paths[number], generator) for number in pictures])
        return pixels, thumbnail(pixels)

    def _one(self, path: Path, generator: torch.Generator | None) -> Tensor:
        picture = read_picture(path)
        if generator is None:
            return to_pixels(picture)
        whole = to_pixels(picture, WIDER)
        top, left = torch.randint(WIDER - SIDE + 1, (2,), generator=generator).tolist()
        crop = whole[:, top : top + SIDE, left : left + SIDE]
        return crop.flip(2) if torch.randint(2, (1,), generator=generator) else crop
