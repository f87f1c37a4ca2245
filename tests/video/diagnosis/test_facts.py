import cv2
import numpy as np
import pytest
from tests.video.diagnosis.scenes import floor, still

from kiridashi.video.diagnosis.facts import FactFinder, Grey, blur, light_change, likeness, noise


def grey(seed: int = 0) -> Grey:
    made: Grey = cv2.cvtColor(floor(seed), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return made


def test_light_change_is_the_logarithm_of_the_ratio() -> None:
    assert light_change(grey(), grey() * 0.8) == pytest.approx(np.log(0.8), abs=1e-3)
    assert light_change(grey(), grey()) == 0
    # What moves is less than half of the picture.
    moved = grey()
    moved[:, :60] = 200
    assert abs(light_change(grey(), moved)) < 0.05


def test_black_frames_tell_no_change() -> None:
    assert light_change(np.zeros((9, 9), np.float32), np.zeros((9, 9), np.float32)) == 0


def test_noise_is_found_in_its_true_strength() -> None:
    rng = np.random.default_rng(0)
    plain = np.full((200, 200), 120, dtype=np.float32)
    for deviation in (5, 20):
        found = noise(plain + rng.normal(0, deviation, plain.shape).astype(np.float32))
        # The plainest tenth of the blocks, so a little less than the truth.
        assert 0.8 * deviation < found < 1.02 * deviation


def test_blur_grows_with_the_blur() -> None:
    values = [blur(grey())] + [blur(cv2.GaussianBlur(grey(), (0, 0), sigma)) for sigma in (1.5, 4)]
    assert values == sorted(values)
    assert blur(np.full((40, 40), 7, dtype=np.float32)) == 0


def test_likeness_ignores_light_and_small_things() -> None:
    assert likeness(grey(), grey() * 0.5 + 10) == pytest.approx(1)
    assert likeness(grey(0), grey(3)) < 0.6
    assert likeness(np.full((20, 20), 9, np.float32), grey()[:20, :20]) == 1


def test_frames_are_compared_with_the_one_before() -> None:
    find = FactFinder()
    first = find(still(0)[0])
    assert (first.change, first.alike) == (0, 1)
    second = find((still(0)[0] * 0.5).astype(np.uint8))
    assert second.change == pytest.approx(np.log(0.5), abs=0.02)
    assert second.light == pytest.approx(first.light / 2, rel=0.02)
    assert set(first.to_json()) == {"light", "change", "blur", "noise", "clipped", "alike"}
