"""Label Studio's brush masks: the run-length packing of @thi.ng/rle-pack over the bytes of an RGBA picture.

A stream of bits: 32 for the number of values, 5 for the bits of a value less one, four times 4 for the bits
of the four run sizes less one. Then runs: a bit that says whether one value is repeated, two that choose the
size, the run's length less one in that many bits, and the value, or as many values. The mask is every fourth
value, the alpha channel; inside from 128 on.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Bitmap
from kiridashi.data.formats.faults import Fault

SIZES = (3, 4, 8, 16)
CHANNELS = 4
_INSIDE = 128


def decode_brush(data: Sequence[object], size: tuple[int, int]) -> Bitmap:
    """The (H, W) bool array of a brush mask.

    Args:
        data: bytes as whole numbers.
        size: (height, width) that it must have.

    Raises:
        Fault: not bytes, cut short, or not of this size.
    """
    values = CHANNELS * size[0] * size[1]
    if len(data) > 2 * values + 64:
        raise Fault("damaged", "the run lengths of a brush mask are longer than its picture")
    if not all(type(one) is int and 0 <= one < 256 for one in data):
        raise Fault("damaged", "the run lengths of a brush mask are whole numbers from 0 to 255")
    bits = _Bits(bytes(data))  # type: ignore[arg-type]
    count, width = bits.take(32), bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    if count != values:
        raise Fault(
            "size-mismatch",
            f"a brush mask of {count // CHANNELS} pixels in a picture of {size[1]} x {size[0]}",
        )
    if width != 8:
        raise Fault("damaged", f"a brush mask of {width} bits a channel; expected 8")
    out = np.zeros(values, dtype=np.uint8)
    place = 0
    while place < values:
        repeated = bits.take(1)
        end = place + 1 + bits.take(sizes[bits.take(2)])
        if end > values:
            raise Fault("damaged", "a run of a brush mask is longer than the picture")
        out[place:end] = bits.take(8) if repeated else bits.take_bytes(end - place)
        place = end
    inside: Bitmap = out[CHANNELS - 1 :: CHANNELS].reshape(size) >= _INSIDE
    return inside


def encode_brush(bitmap: Bitmap) -> list[int]:
    """The bytes of a (H, W) bool array: 255 in all channels inside, 0 outside."""
    flat = bitmap.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate([[0], changes])
    lengths = np.diff(np.concatenate([starts, [flat.size]])) * CHANNELS
    words = [f"{CHANNELS * flat.size:032b}", f"{7:05b}", *(f"{one - 1:04b}" for one in SIZES)]
    longest = 1 << SIZES[-1]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        value = "11111111" if flat[start] else "00000000"
        while length:
            part = min(length, longest)
            choice = next(place for place, bits in enumerate(SIZES) if part <= 1 << bits)
            words.append(f"1{choice:02b}{part - 1:0{SIZES[choice]}b}{value}")
            length -= part
    text = "".join(words)
    digits: NDArray[np.uint8] = np.frombuffer(text.encode("ascii"), dtype=np.uint8) - ord("0")
    packed: list[int] = np.packbits(digits).tolist()
    return packed


class _Bits:
    """Bits of bytes, highest first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def take(self, count: int) -> int:
        """The next bits as a number."""
        start, end = self._place, self._place + count
        if end > 8 * len(self._data):
            raise Fault("damaged", "the run lengths of a brush mask are cut short")
        self._place = end
        word = int.from_bytes(self._data[start // 8 : (end + 7) // 8], "big")
        return (word >> (-end % 8)) & ((1 << count) - 1)

    def take_bytes(self, count: int) -> NDArray[np.uint8]:
        """The next bytes."""
        start, end = self._place, self._place + 8 * count
        if end > 8 * len(self._data):
            raise Fault("damaged", "the run lengths of a brush mask are cut short")
        self._place = end
        part = np.frombuffer(self._data[start // 8 : (end + 7) // 8], dtype=np.uint8)
        bits = np.unpackbits(part)[start % 8 : start % 8 + 8 * count]
        found: NDArray[np.uint8] = np.packbits(bits)
        return found
