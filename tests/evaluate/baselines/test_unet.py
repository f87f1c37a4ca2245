import numpy as np
import pytest
import torch
from tests.evaluate.pictures.discs import Discs

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.evaluate.baselines.named import make_baseline
from kiridashi.evaluate.baselines.unet import SmallUNet, UNet, UNetOptions

SOURCE = Discs()
QUICK = UNetOptions(
    width=4, long_side=32, crop=32, batch=4, steps=60, first_check=20, check_every=10, rate=2e-2
)
SHOTS = [SOURCE.read(f"red{n}", "red").as_reference() for n in range(4)]


@pytest.fixture(scope="module")
def fitted() -> UNet:
    return UNet(0, QUICK).fit(SHOTS, [Negative(SOURCE.read("bare0", "red").picture)])


def test_finds_discs_of_a_colour(fitted: UNet) -> None:
    ious = []
    for name in ("red5", "red6", "red7"):
        example = SOURCE.read(name, "red")
        ious.append(fitted.predict(example.picture).union().iou(example.mask))
    assert min(ious) > 0.5
    assert fitted.predict(SOURCE.read("bare1", "red").picture).union().coverage < 0.05


def test_a_picture_of_any_size_is_answered_at_its_size(fitted: UNet) -> None:
    for size in ((7, 90), (100, 61), (1, 1)):
        picture = Picture(np.full((*size, 3), 120, dtype=np.uint8))
        assert fitted.predict(picture).size == size


def test_equal_seeds_give_equal_answers_and_leave_the_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    brief = UNetOptions(width=4, long_side=32, crop=16, batch=2, steps=3)
    one, other = (UNet(1, brief).fit(SHOTS[:1]) for _ in range(2))
    assert torch.equal(torch.rand(1), before)
    for a, b in zip(one.net_.state_dict().values(), other.net_.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    # Too few shots to hold one aside: the last weights.
    assert one.steps_ == brief.steps


def test_the_weights_with_the_lowest_loss_on_what_is_held_aside_are_kept() -> None:
    # What is held aside says the opposite of what is learned: to learn longer only does harm.
    opposite = Reference(SHOTS[3].picture, Mask.from_array(~SHOTS[3].mask.to_array()))
    options = UNetOptions(
        width=4,
        long_side=32,
        crop=32,
        batch=4,
        steps=200,
        first_check=5,
        check_every=5,
        patience=2,
        rate=2e-2,
    )
    assert UNet(0, options).fit([*SHOTS[:3], opposite]).steps_ < 100


def test_shape_of_the_network() -> None:
    net = SmallUNet(4)
    assert net(torch.zeros(2, 3, 24, 16)).shape == (2, 1, 24, 16)


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="at least one reference"):
        UNet().fit([])
    with pytest.raises(UsageError, match="before fit"):
        UNet().predict(SOURCE.read("red0", "red").picture)


def test_is_known_by_name() -> None:
    assert isinstance(make_baseline("unet", None, seed=3), UNet)  # type: ignore[arg-type]
