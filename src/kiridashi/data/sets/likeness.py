"""Pictures that look the same: a perceptual hash finds candidates, small pictures side by side decide.

The hash is of the low frequencies of a discrete cosine transform, each bit whether one of them is above the
median of all: scaling, compression and brightness change few of its bits. Candidates whose hashes differ in
at most `BITS` are near duplicates when their small grey pictures correlate by `CORRELATION`, so that plain
surfaces, whose hashes are alike by chance, are not taken for each other.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from kiridashi.core.picture import Picture
from kiridashi.data.pictures import read_picture

SIDE, LOW = 32, 8
BITS, CORRELATION = 12, 0.93
# Grey levels between flat pictures that are taken for the same.
FLAT = 2.0
_BLOCK = 2**22
_COUNTS = np.array([bin(value).count("1") for value in range(2**16)], dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Look:
    """What a picture looks like, in small.

    Attributes:
        digest: of the bytes of its file, or of its pixels.
        hash: 64 bits.
        small: (32, 32) float32 grey levels.
    """

    digest: str
    hash: int
    small: NDArray[np.float32]


def look(path: Path) -> Look:
    """Look at a picture file.

    Raises:
        InputError: it cannot be decoded.
    """
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return look_at(read_picture(path), digest)


def look_at(picture: Picture, digest: str | None = None) -> Look:
    """Look at a picture.

    Args:
        picture: any.
        digest: of its file; None: of its pixels.
    """
    grey = Image.fromarray(picture.pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    small = np.asarray(grey, dtype=np.float32)
    low = dctn(small, norm="ortho")[:LOW, :LOW].ravel()
    # The mean says how light the picture is and nothing of what is in it.
    bits = low > np.median(low[1:])
    bits[0] = False
    value = int.from_bytes(np.packbits(bits).tobytes(), "big")
    return Look(digest or picture.digest, value, small)


def alike(one: Look, other: Look) -> bool:
    """Whether two pictures are the same to the eye."""
    if one.digest == other.digest:
        return True
    a, b = one.small - one.small.mean(), other.small - other.small.mean()
    spread = float(np.sqrt((a**2).mean() * (b**2).mean()))
    if spread < FLAT**2:
        return float(np.abs(one.small - other.small).max()) <= FLAT
    return float((a * b).mean()) / spread >= CORRELATION


def near_pairs(looks: Sequence[Look]) -> Iterator[tuple[int, int]]:
    """Places of pictures that are alike, the smaller place first; equal files in a chain, not each with each.

    Memory is bounded; time grows with the square of the number of distinct hashes, about a second for 20,000.
    """
    first: dict[str, int] = {}
    for place, one in enumerate(looks):
        if one.digest in first:
            yield first[one.digest], place
        else:
            first[one.digest] = place
    places = list(first.values())
    hashes = np.array([looks[place].hash for place in places], dtype=np.uint64)
    step = max(1, _BLOCK // max(len(hashes), 1))
    for start in range(0, len(hashes), step):
        differing = _COUNTS[(hashes[start : start + step, None] ^ hashes[None]).view(np.uint16)]
        distance = differing.reshape(-1, len(hashes), 4).sum(axis=2, dtype=np.uint8)
        for row, column in np.argwhere(distance <= BITS).tolist():
            ours, theirs = places[start + row], places[column]
            if start + row < column and alike(looks[ours], looks[theirs]):
                yield ours, theirs


def groups(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Places 0 to `count` in groups that pairs hold together, each in order, by their first place."""
    parent = list(range(count))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for one, other in pairs:
        a, b = sorted((root(one), root(other)))
        parent[b] = a
    found: dict[int, list[int]] = {}
    for place in range(count):
        found.setdefault(root(place), []).append(place)
    return list(found.values())
