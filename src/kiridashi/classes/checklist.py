"""What the samples of a class lack, in plain words, before somebody wonders about results.

Looks at the pictures and masks alone, and at the embeddings where they are known. The limits are rules of
thumb for a person to think about, not measures of quality: a part that always lies the same way under the
same lamp needs no other angle and no other light.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kiridashi.classes.adding import HOLD_ONE_OF
from kiridashi.classes.classifier import FLOOR
from kiridashi.classes.registry.events import Matrix
from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

GOOD_COUNT = 5
PLENTY = 30
# Bits of 64 that two pictures taken a moment apart may differ in.
SAME_HASH = 6
SAME_PLACE = 0.8
# One cell of the coarsest map that embeddings are pooled from: 32 pixels of 512, each way.
TINY = (32 / 512) ** 2
NEARLY_ALL = 0.9
# A part that is no speck of the mask.
REAL_PART = 0.1
# Of 0..1: mean brightness in the object, and root mean square between colour shares.
SAME_LIGHT = 0.06
SAME_SURROUNDINGS = 0.08
# A shape without a long side has no direction.
LONG = 1.3
SAME_ANGLE = 12.0
SAME_SCALE = 1.25
TOO_ALIKE = 0.85
NAMED = 3

Floats = NDArray[np.float64]


class Level(StrEnum):
    """How much a remark matters."""

    GOOD = "good"
    CONSIDER = "consider"
    MISSING = "missing"


@dataclass(frozen=True)
class Remark:
    """One line of the checklist.

    Attributes:
        level: how much it matters.
        about: the point that was looked at.
        text: what was found, and what to do.
    """

    level: Level
    about: str
    text: str


@dataclass(frozen=True)
class Traits:
    """What a sample shows, small enough to keep for many.

    Attributes:
        name: of the picture.
        size: (height, width) of the picture.
        box: of the object as shares of the picture, (x0, y0, x1, y1).
        hash: 64 bits of the picture, alike for pictures that look alike.
        coverage: share of the picture inside the mask, 0..1.
        parts: number of separate parts of the mask that are no specks.
        light: mean brightness of the object, 0..1.
        surroundings: (27,) shares of colours in a band about the object; None: there is no such band.
        angle: of the long side, degrees 0..180; None for a shape without a long side.
        cut_off: whether the object touches the border of the picture.
    """

    name: str
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    hash: int
    coverage: float
    parts: int
    light: float
    surroundings: Floats | None = field(repr=False)
    angle: float | None
    cut_off: bool


def traits(picture: Picture, mask: Mask) -> Traits:
    """Look at one sample.

    Args:
        picture: the picture.
        mask: of the object, not empty.
    """
    height, width = picture.size
    x0, y0, x1, y1 = mask.box
    inside = picture.pixels[mask.slices][mask.bitmap]
    areas = [part.area for part in split_components(mask.bitmap)]
    return Traits(
        picture.name,
        picture.size,
        (x0 / width, y0 / height, x1 / width, y1 / height),
        difference_hash(picture),
        mask.coverage,
        sum(area >= REAL_PART * mask.area for area in areas),
        float(inside.mean()) / 255,
        _surroundings(picture, mask),
        _angle(mask),
        x0 == 0 or y0 == 0 or x1 == width or y1 == height,
    )


def examine(seen: Sequence[Traits], *, lookalikes: int = 0, embeddings: Matrix | None = None) -> list[Remark]:
    """The checklist of one class.

    Args:
        seen: its samples, at least one.
        lookalikes: number of background samples that are given with it or are known already.
        embeddings: (N, D) of the same samples, where they are known.

    Returns:
        One remark a point or more, what is missing first.
    """
    remarks = [
        _count(seen),
        *_masks(seen),
        *_duplicates(seen),
        *_angles(seen),
        *_sizes(seen),
        *_light(seen),
        *_backgrounds(seen),
        _lookalikes(lookalikes),
        *(_outliers(seen, embeddings) if embeddings is not None else []),
    ]
    order = list(Level)[::-1]
    return sorted(remarks, key=lambda remark: order.index(remark.level))


def examine_rivals(name: str, rows: dict[str, Matrix]) -> list[Remark]:
    """Classes that a class is hard to tell from.

    Args:
        name: of the class.
        rows: (D,) mean of the shots by class, of any length.
    """
    own = _unit(rows[name])
    near = {other: float(own @ _unit(row)) for other, row in rows.items() if other != name}
    alike = sorted((other for other in near if near[other] >= TOO_ALIKE), key=lambda other: -near[other])
    if not alike:
        return []
    return [
        Remark(
            Level.CONSIDER,
            "other classes",
            f"looks much like {_listed([repr(other) for other in alike])}; give samples of both that show "
            "what tells them apart, and hold some aside to see whether they are mixed up",
        )
    ]


def difference_hash(picture: Picture) -> int:
    """64 bits that say where brightness grows from left to right on a 9 x 8 thumbnail (a "dHash").

    Pictures that look alike differ in few bits, whatever their size or compression.
    """
    from PIL import Image

    small = Image.fromarray(picture.pixels).convert("L").resize((9, 8), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.int16)
    bits = (values[:, 1:] > values[:, :-1]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _count(seen: Sequence[Traits]) -> Remark:
    count = len(seen)
    pictures = len({(one.name, one.hash) for one in seen})
    if count == 1:
        text = "one sample; it works, but three to five that differ make the class far surer"
        return Remark(Level.MISSING, "number", text)
    if count < GOOD_COUNT or pictures < HOLD_ONE_OF:
        text = (
            f"{count} samples of {_pictures(pictures)}; from {HOLD_ONE_OF} pictures on, one of five is held "
            "aside, and only then later changes can be judged by what they do to this class"
        )
        return Remark(Level.CONSIDER, "number", text)
    if count > PLENTY:
        return Remark(
            Level.GOOD, "number", f"{count} samples are plenty; what helps now are samples that differ"
        )
    return Remark(Level.GOOD, "number", f"{count} samples of {_pictures(pictures)}")


def _masks(seen: Sequence[Traits]) -> list[Remark]:
    remarks = []
    if tiny := [one for one in seen if one.coverage < TINY]:
        text = (
            f"the object covers less than {TINY:.1%} of {_named(tiny)}, less than the model tells apart; "
            "take the picture closer, or crop it"
        )
        remarks.append(Remark(Level.MISSING, "masks", text))
    if huge := [one for one in seen if one.coverage > NEARLY_ALL]:
        text = f"the mask covers nearly all of {_named(huge)}; is it inverted? White is the object"
        remarks.append(Remark(Level.MISSING, "masks", text))
    if several := [one for one in seen if one.parts > 1]:
        text = (
            f"the mask of {_named(several)} has separate parts; if they are several objects, give each a "
            "mask of its own (a COCO or LabelMe file can hold many)"
        )
        remarks.append(Remark(Level.CONSIDER, "masks", text))
    if cut_off := [one for one in seen if one.cut_off and one.coverage <= NEARLY_ALL]:
        text = f"the object is cut off by the border of {_named(cut_off)}; whole ones teach more"
        remarks.append(Remark(Level.CONSIDER, "masks", text))
    return remarks or [Remark(Level.GOOD, "masks", "of a good size, in one piece, wholly in the picture")]


def _duplicates(seen: Sequence[Traits]) -> list[Remark]:
    pairs = [(one, other) for one, other in combinations(seen, 2) if _is_same(one, other)]
    if not pairs:
        return []
    listed = _listed([f"{one.name} and {other.name}" for one, other in pairs])
    text = f"nearly the same picture: {listed}; a copy teaches nothing, take another one instead"
    return [Remark(Level.MISSING, "near-duplicates", text)]


def _is_same(one: Traits, other: Traits) -> bool:
    # The same frame shows the object in the same place; equal parts elsewhere are another sample.
    return (one.hash ^ other.hash).bit_count() <= SAME_HASH and _overlap(one.box, other.box) >= SAME_PLACE


def _angles(seen: Sequence[Traits]) -> list[Remark]:
    angles = np.array([one.angle for one in seen if one.angle is not None])
    if len(seen) < 3 or len(angles) < len(seen):
        return []
    # Directions are the same after half a turn, so they are averaged at twice the angle.
    doubled = np.exp(2j * np.deg2rad(angles))
    spread = np.abs(np.angle(doubled / doubled.mean(), deg=True)).max() / 2
    if spread > SAME_ANGLE:
        return [Remark(Level.GOOD, "angles", "the object lies in different directions")]
    text = "the object always lies the same way; if it may lie otherwise, show it turned and from other sides"
    return [Remark(Level.CONSIDER, "angles", text)]


def _sizes(seen: Sequence[Traits]) -> list[Remark]:
    if len(seen) < 3:
        return []
    sides = np.sqrt([one.coverage for one in seen])
    if sides.max() / sides.min() > SAME_SCALE:
        return [Remark(Level.GOOD, "distance", "the object is seen from near and far")]
    text = "the object always has the same size; if the camera may be nearer or further, show that"
    return [Remark(Level.CONSIDER, "distance", text)]


def _light(seen: Sequence[Traits]) -> list[Remark]:
    if len(seen) < 3:
        return []
    light = [one.light for one in seen]
    if max(light) - min(light) > SAME_LIGHT:
        return [Remark(Level.GOOD, "light", "brighter and darker samples")]
    text = (
        "all in the same light; if it changes over the day or with a shadow, show a brighter and a darker one"
    )
    return [Remark(Level.CONSIDER, "light", text)]


def _backgrounds(seen: Sequence[Traits]) -> list[Remark]:
    about = [one.surroundings for one in seen if one.surroundings is not None]
    if len(about) < 3:
        return []
    differ = [float(np.sqrt(np.mean((one - other) ** 2))) for one, other in combinations(about, 2)]
    if np.mean(differ) > SAME_SURROUNDINGS:
        return [Remark(Level.GOOD, "backgrounds", "different surroundings")]
    text = "always the same surroundings; if the object may lie elsewhere, show it there"
    return [Remark(Level.CONSIDER, "backgrounds", text)]


def _lookalikes(count: int) -> Remark:
    if count:
        known = "one is" if count == 1 else f"{count} are"
        return Remark(Level.GOOD, "look-alikes", f"{known} known as background")
    text = "none are known; give what is easily taken for it, and is not, with --background DIR"
    return Remark(Level.CONSIDER, "look-alikes", text)


def _outliers(seen: Sequence[Traits], embeddings: Matrix) -> list[Remark]:
    if len(seen) < 3:
        return []
    unit = _unit(embeddings)
    cosines = (_unit(unit.sum(axis=0) - unit) * unit).sum(axis=1)
    strange = [one for one, cosine in zip(seen, cosines.tolist(), strict=True) if cosine < FLOOR]
    if not strange:
        return []
    text = (
        f"{_named(strange)} looks unlike the other samples; is the mask on the right object? If it is, show "
        "more such ones, or make them a class of their own"
    )
    return [Remark(Level.CONSIDER, "likeness", text)]


def _surroundings(picture: Picture, mask: Mask) -> Floats | None:
    """Shares of 27 colours in a band about the object, half as wide as the object."""
    height, width = picture.size
    x0, y0, x1, y1 = mask.box
    across, down = max(2, (x1 - x0) // 4), max(2, (y1 - y0) // 4)
    window = (
        slice(max(0, y0 - down), min(height, y1 + down)),
        slice(max(0, x0 - across), min(width, x1 + across)),
    )
    pixels = picture.pixels[window][~mask.to_array()[window]]
    if not len(pixels):
        return None
    thirds = pixels.astype(np.int64) * 3 // 256
    shares: Floats = np.bincount(thirds @ (9, 3, 1), minlength=27) / len(pixels)
    return shares


def _angle(mask: Mask) -> float | None:
    rows, columns = np.nonzero(mask.bitmap)
    if len(rows) < 3:
        return None
    spread = np.cov(columns, rows)
    least, most = np.linalg.eigvalsh(spread)
    if most < LONG**2 * max(least, 1e-9):
        return None
    angle = 0.5 * np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1])
    return float(np.rad2deg(angle) % 180)


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)


def _unit(rows: Matrix) -> Matrix:
    unit: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return unit


def _named(seen: Sequence[Traits]) -> str:
    return _listed(list(dict.fromkeys(one.name for one in seen)))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _pictures(count: int) -> str:
    return "one picture" if count == 1 else f"{count} pictures"
