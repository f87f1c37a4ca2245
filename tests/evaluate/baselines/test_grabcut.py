import numpy as np
import pytest

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.evaluate.baselines.grabcut import grabcut


def scene(height: int = 90, width: int = 120, scale: int = 1) -> tuple[Picture, Mask]:
    """A bright disc with noise on dark noise."""
    generator = np.random.default_rng(0)
    rows, cols = np.ogrid[: height * scale, : width * scale]
    disc = (cols / scale - 70) ** 2 + (rows / scale - 45) ** 2 <= 18**2
    pixels = np.where(disc[..., None], (190, 160, 60), (50, 60, 80)) + generator.normal(
        0, 8, (*disc.shape, 3)
    )
    return Picture(pixels.clip(0, 255).astype(np.uint8)), Mask.from_array(disc)


def prior_of(mask: Mask, shift: int = 0) -> np.ndarray:
    return np.roll(mask.to_array(), shift, axis=1).astype(np.float32)


@pytest.mark.parametrize("scale", [1, 8])
@pytest.mark.parametrize("kind", ["point", "box", "prior", "half-size prior", "point and box"])
def test_cuts_a_clear_object(kind: str, scale: int) -> None:
    picture, truth = scene(scale=scale)
    x0, y0, x1, y1 = truth.box
    box = (x0 - 4.0 * scale, y0 - 4.0 * scale, x1 + 4.0 * scale, y1 + 4.0 * scale)
    point = (70.0 * scale, 45.0 * scale, 1)
    prompt = {
        "point": Prompt(points=(point,)),
        "box": Prompt(box=box),
        "prior": Prompt(prior=prior_of(truth, 4 * scale)),
        "half-size prior": Prompt(prior=prior_of(truth, 4 * scale)[::2, ::2]),
        "point and box": Prompt(points=(point,), box=box),
    }[kind]
    assert grabcut(picture, prompt).iou(truth) > 0.95


def test_equal_input_gives_equal_masks() -> None:
    picture, truth = scene()
    prompt = Prompt(prior=prior_of(truth, 4))
    assert grabcut(picture, prompt) == grabcut(picture, prompt)


def test_a_point_beside_keeps_its_place_out() -> None:
    picture, _ = scene()
    mask = grabcut(picture, Prompt(points=((70, 45, 1), (62, 45, 0))))
    assert not mask.to_array()[45, 62]
    assert mask.to_array()[45, 70]


FLAT = Picture(np.full((30, 40, 3), 90, dtype=np.uint8))
DOT = Picture(np.zeros((1, 1, 3), dtype=np.uint8))


@pytest.mark.parametrize("picture", [FLAT, DOT, Picture(np.zeros((1, 900, 3), dtype=np.uint8))])
@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(points=((0, 0, 1),)),
        Prompt(box=(0, 0, 1, 1)),
        Prompt(box=(0.2, 0.2, 0.4, 0.4)),
        Prompt(box=(-50, -50, 5000, 5000)),
        Prompt(prior=np.ones((3, 3), dtype=np.float32)),
    ],
)
def test_degenerate_input_gives_the_prompt_back(picture: Picture, prompt: Prompt) -> None:
    mask = grabcut(picture, prompt)
    assert mask.size == picture.size
    assert not mask.is_empty


@pytest.mark.parametrize("picture", [FLAT, DOT])
@pytest.mark.parametrize(
    "prompt", [Prompt(prior=np.zeros((3, 3), dtype=np.float32)), Prompt(points=((0, 0, 0),))]
)
def test_nothing_asked_for_gives_nothing(picture: Picture, prompt: Prompt) -> None:
    assert grabcut(picture, prompt).is_empty
