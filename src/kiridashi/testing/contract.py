"""The checks, one function each, and the two ways to run them."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.data.pictures import read_picture
from kiridashi.testing.probes import (
    Factory,
    fitted,
    predicted,
    refusing,
    require,
    require_equal,
    working,
)
from kiridashi.testing.scenes import noise, plain, scene

Check = Callable[[Factory], None]
# A method that finds its own reference this badly does not work at all.
LEAST_SELF_IOU = 0.3


def method_checks() -> list[Check]:
    """Every check, in the order in which they are best read when several fail."""
    return [
        check for name, check in globals().items() if name.startswith("check_") and check is not check_method
    ]


def check_method(factory: Factory) -> None:
    """Run every check.

    Args:
        factory: makes a new, unfitted instance at each call.

    Raises:
        AssertionError: lists each check that failed and why.
    """
    checks, failures = method_checks(), []
    for check in checks:
        try:
            check(factory)
        except AssertionError as error:
            failures.append(f"{check.__name__}: {error}")
    if failures:
        raise AssertionError(f"{len(failures)} of {len(checks)} checks failed:\n  " + "\n  ".join(failures))


def check_constructor_only_stores(factory: Factory) -> None:
    """Before fit there is no learned state: no attribute that ends in an underscore."""
    with working("the constructor"):
        method = factory()
    learned = _learned(method)
    require(
        not learned, f"the constructor must only store its arguments, it made {', '.join(sorted(learned))}"
    )


def check_fit_keeps_the_settings(factory: Factory) -> None:
    """What fit adds ends in an underscore, and what the constructor stored stays as it was."""
    with working("the constructor"):
        method = factory()
    before = dict(vars(method))
    with working("fit"):
        method.fit([scene(0)])
    after = vars(method)
    added = [name for name in after if name not in before and not name.endswith("_")]
    require(not added, f"what fit learns must end in an underscore, it made {', '.join(added)}")
    changed = [name for name, value in before.items() if name not in after or after[name] is not value]
    require(not changed, f"fit must not change what the constructor stored, it changed {', '.join(changed)}")


def check_predict_before_fit_is_refused(factory: Factory) -> None:
    """UsageError, not an AttributeError from inside."""
    with refusing("predict before fit", UsageError):
        factory().predict(plain())


def check_save_before_fit_is_refused(factory: Factory) -> None:
    """There is nothing to save, and no file may appear."""
    with tempfile.TemporaryDirectory() as folder:
        with refusing("save before fit", UsageError):
            factory().save(Path(folder, "state.safetensors"))
        require(not list(Path(folder).iterdir()), "save before fit left a file behind")


def check_no_references_are_refused(factory: Factory) -> None:
    """Neither an empty list nor an empty mask says what to look for."""
    with refusing("fit without references"):
        factory().fit([])
    picture = plain()
    with refusing("a reference with an empty mask", InputError):
        factory().fit([Reference(picture, Mask.empty(picture.size))])


def check_finds_its_reference(factory: Factory) -> None:
    """The reference picture itself as target: the object is there."""
    shown = scene(0)
    found = predicted(fitted(factory, [shown]), shown.picture)
    require(
        bool(found.verdict and found.verdict.present), "the object is called absent from its own reference"
    )
    overlap = found.union().iou(shown.mask)
    require(
        overlap >= LEAST_SELF_IOU, f"IoU with its own reference mask is {overlap:.2f}, below {LEAST_SELF_IOU}"
    )


def check_absent_target(factory: Factory) -> None:
    """Noise, plain grey and black pictures get a result with a verdict."""
    method = fitted(factory, [scene(0)])
    for picture in (noise(1), plain(128), plain(0)):
        predicted(method, picture)


def check_one_pixel_mask(factory: Factory) -> None:
    """The smallest object a user can mark, in the middle and in a corner."""
    picture = scene(0).picture
    for row, column in ((48, 64), (0, 0)):
        dot = np.zeros(picture.size, dtype=bool)
        dot[row, column] = True
        predicted(fitted(factory, [Reference(picture, Mask.from_array(dot))]), scene(1).picture)


def check_full_mask(factory: Factory) -> None:
    """The object fills the whole reference: there is no background to learn from."""
    picture = scene(0).picture
    whole = Reference(picture, Mask.from_array(np.ones(picture.size, dtype=bool)))
    predicted(fitted(factory, [whole]), scene(1).picture)


def check_several_references_of_unequal_size(factory: Factory) -> None:
    """K = 3, each of another size and shape."""
    references = [scene(0, (64, 96)), scene(1, (120, 80)), scene(2, (90, 90))]
    predicted(fitted(factory, references), scene(3).picture)


def check_grey_picture(factory: Factory) -> None:
    """An 8-bit grey PNG."""
    grey = _grey(scene(1).picture)
    _check_file(factory, "grey.png", lambda path: _save(grey, path), np.repeat(grey[..., None], 3, axis=2))


def check_rgba_picture(factory: Factory) -> None:
    """A PNG with an opaque alpha channel gives what the same picture without it gives."""
    pixels = scene(1).picture.pixels
    opaque = np.dstack([pixels, np.full(pixels.shape[:2], 255, dtype=np.uint8)])
    _check_file(factory, "rgba.png", lambda path: _save(opaque, path), pixels)


def check_16_bit_picture(factory: Factory) -> None:
    """A 16-bit grey TIFF as industrial cameras write them."""
    import tifffile

    grey = _grey(scene(1).picture)
    wide = grey.astype(np.uint16) * 257
    wide[0, 0] = 65535
    _check_file(factory, "deep.tif", lambda path: tifffile.imwrite(path, wide))


def check_cmyk_picture(factory: Factory) -> None:
    """A CMYK JPEG as catalogues for print have them."""
    from PIL import Image

    ink = Image.fromarray(np.asarray(scene(1).picture.pixels)).convert("CMYK")
    _check_file(factory, "ink.jpg", lambda path: ink.save(path, quality=95))


def check_rotated_picture(factory: Factory) -> None:
    """A PNG that EXIF says to turn by 90 degrees: the result has the size of the upright picture."""
    from PIL import Image

    pixels = scene(1).picture.pixels
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(pixels)))
    _check_file(factory, "turned.png", lambda path: turned.save(path, exif=exif), pixels)


def check_tiny_picture(factory: Factory) -> None:
    """8 x 8 pixels, as target and as reference."""
    small = scene(2, (8, 8))
    predicted(fitted(factory, [scene(0)]), small.picture)
    predicted(fitted(factory, [small]), scene(1).picture)


def check_large_picture(factory: Factory) -> None:
    """2000 x 1500 pixels."""
    predicted(fitted(factory, [scene(0)]), scene(1, (1500, 2000)).picture)


def check_equal_fits_agree(factory: Factory) -> None:
    """Two instances fitted with the same references predict the same."""
    target = scene(3).picture
    first, second = (predicted(fitted(factory, [scene(0), scene(1)]), target) for _ in range(2))
    require_equal(first, second, "two equal fits disagree (is there an unseeded random choice?)")


def check_predictions_are_independent(factory: Factory) -> None:
    """A picture's result does not depend on the pictures before it."""
    method = fitted(factory, [scene(0)])
    a, b = scene(1).picture, scene(2).picture
    first = predicted(method, a)
    predicted(method, b)
    require_equal(first, predicted(method, a), "a prediction changed after another picture")
    other = fitted(factory, [scene(0)])
    predicted(other, b)
    require_equal(first, predicted(other, a), "predicting B then A differs from A then B")


def check_refit_forgets(factory: Factory) -> None:
    """Fitting again starts anew: nothing of the first references stays."""
    target = scene(3).picture
    whole = Reference(plain(200), Mask.from_array(np.ones(plain().size, dtype=bool)))
    method = fitted(factory, [whole])
    predicted(method, target)
    with working("a second fit"):
        method.fit([scene(0)])
    fresh = predicted(fitted(factory, [scene(0)]), target)
    require_equal(fresh, predicted(method, target), "a second fit does not equal a first one")


def check_save_and_load(factory: Factory) -> None:
    """A loaded instance predicts as the saved one; the state is one safetensors file."""
    from safetensors import safe_open

    target = scene(3).picture
    method = fitted(factory, [scene(0), scene(1)], [Negative(noise(4))])
    expected = predicted(method, target)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.safetensors")
        with working("save"):
            method.save(path)
        left = sorted(entry.name for entry in Path(folder).iterdir())
        require(left == [path.name], f"save must write {path.name} and nothing else, the folder holds {left}")
        with working("reading the state as safetensors"), safe_open(path, framework="np") as state:
            state.keys()
        fresh = factory()
        with working("load"):
            returned = fresh.load(path)
        require(returned is fresh, "load must return self")
        require_equal(expected, predicted(fresh, target), "a loaded instance differs from the saved one")


def check_foreign_state_is_refused(factory: Factory) -> None:
    """A file that `save` did not write is refused with a clear error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.safetensors")
        path.write_bytes(b"this is not a state")
        with refusing("loading a file that is not a state"):
            factory().load(path)


def check_negatives(factory: Factory) -> None:
    """Whole pictures and masked parts of pictures are both taken as what must not be found."""
    look_alike = scene(5)
    negatives = [
        Negative(noise(6)),
        Negative(look_alike.picture, look_alike.mask),
        Negative(plain(60, (40, 56))),
    ]
    predicted(fitted(factory, [scene(0)], negatives), scene(1).picture)


def _learned(method: object) -> set[str]:
    return {name for name in vars(method) if name.endswith("_") and not name.startswith("__")}


def _check_file(
    factory: Factory,
    name: str,
    write: Callable[[Path], Any],
    same_as: NDArray[np.uint8] | None = None,
) -> None:
    """A file as reference and as target; `same_as` are the pixels that must give an equal result."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write(path)
        picture = read_picture(path)
        shown = scene(0)
        method = fitted(factory, [shown, Reference(picture, scene(1).mask)])
        found = predicted(method, picture)
        if same_as is not None:
            plain_result = predicted(method, Picture(same_as, name))
            require_equal(found, plain_result, f"{name} gives another result than the same pixels as RGB")


def _grey(picture: Picture) -> NDArray[np.uint8]:
    grey: NDArray[np.uint8] = picture.pixels.mean(axis=2).round().astype(np.uint8)
    return grey


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path)
