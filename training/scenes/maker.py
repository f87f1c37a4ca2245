"""Draw training scenes of several kinds from what is on this machine."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kiridashi.core.errors import UsageError
from training.scenes.backgrounds import Backgrounds, Source, cropped
from training.scenes.composed import draw_composed
from training.scenes.cut_outs import SHARES, CutOuts, Stamps, WholeObjects
from training.scenes.many import draw_many
from training.scenes.marks import draw_marks
from training.scenes.photometric import photographed
from training.scenes.real import LEAST_SHARE, Frames, Photographs, part_of
from training.scenes.scene import Rng, Scene, renumbered
from training.scenes.store import Store

KINDS = ("photographs", "composed", "many", "surfaces", "video frames")
# The longer side of a scene in pixels, and its least shorter side in parts of it.
SIDE = 384
NARROWEST = 0.62
# Folders that `training.scenes.fetch` fills.
FETCHED = ("fluent_emoji", "openclipart")
SPLITS = ("train", "validation")
# The fewest pixels of an object in a drawn scene: smaller ones are what cropping left.
LEAST_PIXELS = 12


@dataclass(frozen=True)
class SceneData:
    """What was found on this machine for one split.

    Attributes:
        photographs: with masks, or None.
        frames: of videos with masks, or None.
        cut_outs: by source.
        backgrounds: by source.
    """

    photographs: Photographs | None
    frames: Frames | None
    cut_outs: dict[str, CutOuts]
    backgrounds: dict[str, Source]


class SceneMaker:
    """Draws scenes; equal generators draw equal scenes, whatever was drawn before.

    Args:
        data: folder with `voc_train`, `davis_train`, `tuxpaint_stamps` and `grocery_store`; each may be
            missing.
        sources: folder written by `training.scenes.fetch`, or None.
        weights: how often each kind of `KINDS` is drawn, in any unit. A kind whose pictures are missing
            leaves its share to the others.
        split: "validation" holds every twelfth photograph and cut-out, and no video frames (a frame is
            too much like its neighbours); "train" the rest. Backgrounds other than photographs are
            shared.
        side: longer side of a scene in pixels.

    Raises:
        UsageError: an unknown kind or split, or no kind that could be drawn.
        InputError: a picture cannot be read (by `draw`).
    """

    def __init__(
        self,
        data: Path,
        sources: Path | None,
        weights: Mapping[str, float],
        split: str = "train",
        side: int = SIDE,
    ) -> None:
        if unknown := sorted(set(weights) - set(KINDS)):
            raise UsageError(f"unknown kinds of scenes {unknown}; take some of {', '.join(KINDS)}")
        if split not in SPLITS:
            raise UsageError(f"unknown split {split!r}; take one of {', '.join(SPLITS)}")
        self._side = side
        self._data = find_data(data, sources, split)
        self._backgrounds = Backgrounds(self._data.backgrounds)
        possible = self._possible()
        # In the order of KINDS: the order of a mapping must not decide what is drawn.
        usable = {kind: weights[kind] for kind in possible if weights.get(kind, 0) > 0}
        if not usable:
            raise UsageError(
                f"none of {sorted(weights)} can be drawn; give one of {possible} a weight above 0"
            )
        total = sum(usable.values())
        self._shares = {kind: weight / total for kind, weight in usable.items()}

    def draw(self, rng: Rng) -> Scene:
        """A scene of a kind drawn by weight."""
        kinds = list(self._shares)
        scene = self._drawn(kinds[int(rng.choice(len(kinds), p=list(self._shares.values())))], rng)
        return Scene(photographed(scene.pixels, rng), renumbered(scene.objects, LEAST_PIXELS))

    def describe(self) -> dict[str, object]:
        """Shares of the kinds drawn, and how many cut-outs, photographs, ... each source gives.

        A source that is missing counts 0.
        """
        data = self._data
        return {
            "kinds": dict(self._shares),
            "photographs": len(data.photographs.names) if data.photographs else 0,
            "video frames": len(data.frames) if data.frames else 0,
            "cut-outs": {name: len(data.cut_outs.get(name, ())) for name in SHARES},
            "backgrounds": self._backgrounds.names,
        }

    def _possible(self) -> list[str]:
        """The kinds whose pictures are here."""
        data = self._data
        missing = set()
        if data.photographs is None:
            missing.add("photographs")
        if data.frames is None:
            missing.add("video frames")
        if not data.cut_outs:
            missing.add("composed")
        return [kind for kind in KINDS if kind not in missing]

    def _drawn(self, kind: str, rng: Rng) -> Scene:
        data = self._data
        if kind == "photographs" and data.photographs:
            return self._real(data.photographs.draw(rng), rng)
        if kind == "video frames" and data.frames:
            return self._real(data.frames.draw(rng), rng)
        if kind == "composed":
            return draw_composed(self._size(rng), data.cut_outs, self._backgrounds, rng)
        if kind == "many":
            return draw_many(self._size(rng), data.cut_outs, self._backgrounds, rng)
        return draw_marks(self._size(rng), rng)

    def _real(self, scene: Scene, rng: Rng) -> Scene:
        """A real picture at the size of a scene, whole or most of it."""
        height, width = scene.objects.shape
        scale = self._side / max(height, width)
        size = round(height * scale), round(width * scale)
        pixels, objects = cropped(scene, size, rng, least=1.0 if rng.random() < 0.4 else 0.65)
        return Scene(pixels, renumbered(objects, round(LEAST_SHARE * objects.size)))

    def _size(self, rng: Rng) -> tuple[int, int]:
        """(height, width), upright or lying."""
        shorter = round(self._side * float(rng.uniform(NARROWEST, 1)))
        return (self._side, shorter) if rng.random() < 0.4 else (shorter, self._side)


def find_data(data: Path, sources: Path | None, split: str) -> SceneData:
    """What the folders hold for one split; see `SceneMaker`."""
    photographs = _photographs(data / "voc_train", split)
    frames = _frames(data / "davis_train")
    cut_outs: dict[str, CutOuts] = {}
    backgrounds: dict[str, Source] = {}
    if photographs:
        backgrounds["voc_train"] = photographs.draw
        cut_outs["voc_train"] = WholeObjects(photographs.images, photographs.masks, photographs.names)
    if frames:
        backgrounds["davis_train"] = frames.draw
    unmarked = Store((data / "grocery_store" / "images").glob("*.jpg"))
    if len(unmarked):
        backgrounds["grocery_store"] = _Unmarked(unmarked).draw
    cut_outs["tuxpaint_stamps"] = _stamps((data / "tuxpaint_stamps" / "rgba").glob("*.png"), split)
    for name, folder in _fetched(sources).items():
        cut_outs[name] = _stamps(folder.glob("*.webp"), split)
    return SceneData(
        photographs=photographs,
        frames=frames if split == "train" else None,
        cut_outs={name: found for name, found in cut_outs.items() if len(found)},
        backgrounds=backgrounds,
    )


def _photographs(folder: Path, split: str) -> Photographs | None:
    found = Photographs(folder, split) if folder.is_dir() else None
    return found if found and found.names else None


def _frames(folder: Path) -> Frames | None:
    found = Frames(folder) if folder.is_dir() else None
    return found if found and len(found) else None


def _stamps(paths: Iterable[Path], split: str) -> Stamps:
    by_name = {path.stem: path for path in paths}
    return Stamps(Store(by_name[name] for name in part_of(tuple(sorted(by_name)), split)))


def _fetched(sources: Path | None) -> dict[str, Path]:
    """Folders of the complete sources by name: those that the index tells of."""
    index = sources / "index.json" if sources else None
    if sources is None or index is None or not index.is_file():
        return {}
    known = json.loads(index.read_text(encoding="utf-8"))["sources"]
    return {name: sources / name for name in FETCHED if name in known}


class _Unmarked:
    """Pictures of which no mask is known, as backgrounds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def draw(self, rng: Rng) -> Scene:
        pixels = self._store.pixels(self._store.names[int(rng.integers(len(self._store)))])
        return Scene(pixels, np.zeros(pixels.shape[:2], np.uint8))
