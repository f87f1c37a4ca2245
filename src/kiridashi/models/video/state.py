"""A session's memory as named tensors and back, so that a fitted session can be saved without pickles."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from kiridashi.core.errors import InputError
from kiridashi.models.video.bank import Memory, ObjectBank
from kiridashi.models.video.options import MemoryOptions

FRAME = "frame"
NAME = re.compile(r"object\.(-?\d{1,18})\.(prompted|recent|pointers)\.(frames|features|pointers)")
FIELDS = {
    "prompted": ("frames", "features", "pointers"),
    "recent": ("frames", "features"),
    "pointers": ("frames", "pointers"),
}


def export(frame: int, banks: Mapping[int, ObjectBank]) -> dict[str, Tensor]:
    """Named tensors: `frame`, and for each object its three lists, stacked."""
    tensors = {FRAME: torch.tensor([frame])}
    for object_id, bank in banks.items():
        lists: dict[str, list[tuple[Any, ...]]] = {
            "prompted": [(m.frame, m.features, m.pointer) for m in bank.prompted],
            "recent": list(bank.recent),
            "pointers": list(bank.pointers),
        }
        for kind, entries in lists.items():
            if not entries:
                continue
            for field, column in zip(FIELDS[kind], zip(*entries, strict=True), strict=True):
                values = torch.tensor(column) if field == "frames" else torch.stack(column)
                tensors[f"object.{object_id}.{kind}.{field}"] = values
    return tensors


def restore(
    tensors: Mapping[str, Tensor], options: MemoryOptions, shape: tuple[int, int], pointer_width: int
) -> tuple[int, dict[int, ObjectBank]]:
    """The frame index and the banks of an exported state.

    Args:
        tensors: what `export` gave.
        options: of the session that goes on; with tighter limits the oldest entries are dropped.
        shape: (L, D) of one spatial memory of the model.
        pointer_width: C of an object pointer of the model.

    Raises:
        InputError: a name, a shape or a value is not what `export` of this model writes.
    """
    frame = _read_frame(tensors)
    objects: dict[int, dict[str, dict[str, Tensor]]] = {}
    for name, tensor in tensors.items():
        if name == FRAME:
            continue
        match = NAME.fullmatch(name)
        if match is None or match[3] not in FIELDS[match[2]]:
            raise InputError(f"session state: unknown tensor {name!r}")
        objects.setdefault(int(match[1]), {}).setdefault(match[2], {})[match[3]] = tensor
    banks = {}
    for object_id, lists in objects.items():
        for kind, fields in lists.items():
            _check(f"object.{object_id}.{kind}", kind, fields, frame, shape, pointer_width)
        if "prompted" not in lists:
            raise InputError(f"session state: object {object_id} has no prompted frame")
        banks[object_id] = _bank(lists, options)
    return frame, banks


def _read_frame(tensors: Mapping[str, Tensor]) -> int:
    frame = tensors.get(FRAME)
    if frame is None or frame.numel() != 1 or frame.dtype != torch.int64 or int(frame) < 0:
        raise InputError("session state: `frame` must be one int64 of at least 0; is this a saved session?")
    return int(frame)


def _check(
    name: str, kind: str, fields: Mapping[str, Tensor], frame: int, shape: tuple[int, int], pointer_width: int
) -> None:
    missing = [field for field in FIELDS[kind] if field not in fields]
    if missing:
        raise InputError(f"session state: {name} lacks {', '.join(missing)}")
    frames = fields["frames"]
    if frames.ndim != 1 or frames.dtype != torch.int64 or not len(frames):
        raise InputError(f"session state: {name}.frames must be a list of int64, got {tuple(frames.shape)}")
    if frames.min() < 0 or frames.max() >= frame or (frames.diff() <= 0).any():
        raise InputError(
            f"session state: {name}.frames must rise within 0..{frame - 1}, got {frames.tolist()}"
        )
    expected = {"features": (len(frames), *shape), "pointers": (len(frames), pointer_width)}
    for field, tensor in fields.items():
        if field != "frames" and (tuple(tensor.shape) != expected[field] or not tensor.is_floating_point()):
            raise InputError(
                f"session state: {name}.{field} is {tuple(tensor.shape)} {tensor.dtype}, this model has "
                f"{expected[field]} floats; load it with the model that made it"
            )


def _bank(lists: Mapping[str, Mapping[str, Tensor]], options: MemoryOptions) -> ObjectBank:
    bank = ObjectBank(options)
    for then, features, pointer in _rows(lists["prompted"], options):
        bank.add(Memory(then, features, pointer), prompted=True)
    if "recent" in lists:
        bank.recent.extend(_rows(lists["recent"], options))
    if "pointers" in lists:
        bank.pointers.extend(_rows(lists["pointers"], options))
    return bank


def _rows(fields: Mapping[str, Tensor], options: MemoryOptions) -> Iterator[tuple[Any, ...]]:
    """(frame, features and/or pointer) of each entry; copies, so that the stack is not kept alive."""
    types = {"features": options.dtype, "pointers": torch.float32}
    columns = [fields[name].to(dtype) for name, dtype in types.items() if name in fields]
    for then, *row in zip(fields["frames"].tolist(), *columns, strict=True):
        yield (then, *(tensor.clone() for tensor in row))
