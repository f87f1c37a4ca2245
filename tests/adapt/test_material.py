"""Samples, tasks, memory of samples, and the budget."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kiridashi.adapt.budget import Budget, this_machine
from kiridashi.adapt.memory import MOST_KEPT, keep, recall
from kiridashi.adapt.options import AdaptOptions
from kiridashi.adapt.samples import Sample, divide
from kiridashi.adapt.tasks import as_cells, draw_tasks, plain_tasks, regions_of, spoilt
from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference

DiscSite = Callable[..., Reference]


def sample(site: Reference, label: str = "disc") -> Sample:
    return Sample(site.picture, site.mask, label)


def test_a_share_of_every_class_is_held_aside(disc_site: DiscSite) -> None:
    samples = [sample(disc_site(seed), label) for seed, label in enumerate("aaaaaaaabbbb")]
    division = divide(samples, 0.25, 0)
    assert len(division.aside) == 3
    assert {one.label for one in division.aside} == {"a", "b"}
    assert len(division.learned) == 9
    assert divide(samples, 0.25, 0).aside == division.aside


def test_a_picture_with_two_classes_is_on_one_side(disc_site: DiscSite) -> None:
    samples = [sample(disc_site(seed), label) for seed in range(5) for label in "ab"]
    division = divide(samples, 0.25, 3)
    learned = {one.picture.digest for one in division.learned}
    assert not learned & {one.picture.digest for one in division.aside}
    assert len(division.aside) == 4


def test_two_pictures_are_too_few(disc_site: DiscSite) -> None:
    with pytest.raises(UsageError, match="needs 3 pictures with masks or more, got 2"):
        divide([sample(disc_site(0)), sample(disc_site(1))], 0.25, 0)


def test_tasks_ask_for_what_the_mask_holds(disc_site: DiscSite) -> None:
    one = sample(disc_site(1, discs=3))
    drawn = draw_tasks(one, None, np.random.default_rng(0))
    assert [task.kind for task in drawn] == ["box", "click", "prior"]
    for task in drawn[:2]:
        assert len(task.prompts) == len(task.truths) == 3
    for prompt, truth in zip(drawn[1].prompts, drawn[1].truths, strict=True):
        x, y, inside = prompt.points[0]
        assert inside == 1
        assert truth.to_array()[int(y), int(x)]
    for prompt, truth in zip(plain_tasks(one)[0].prompts, plain_tasks(one)[0].truths, strict=True):
        assert prompt.box == tuple(map(float, truth.box))
    given = np.full((8, 8), 0.3, np.float32)
    assert draw_tasks(one, given, np.random.default_rng(0))[2].prompts[0].prior is given


def test_one_pixel_is_still_a_region_and_a_cell() -> None:
    dot = np.zeros((40, 60), bool)
    dot[39, 59] = True
    mask = Mask.from_array(dot)
    assert [region.area for region in regions_of(mask)] == [1]
    assert as_cells([mask], 16).sum() == 1
    task = draw_tasks(
        Sample(Picture(np.zeros((40, 60, 3), np.uint8), "x"), mask, "x"), None, np.random.default_rng(1)
    )
    x0, y0, x1, y1 = task[0].prompts[0].box or (0, 0, 0, 0)
    assert 0 <= x0 < x1 <= 60
    assert 0 <= y0 < y1 <= 40


def test_a_spoilt_prior_still_points_at_the_object(disc_site: DiscSite) -> None:
    site = disc_site(2)
    inside = as_cells([site.mask], 128)[0].numpy() > 0
    for seed in range(6):
        prior = spoilt(site.mask, np.random.default_rng(seed))
        assert prior.shape == (128, 128)
        assert 0 <= prior.min() <= prior.max() <= 1
        assert prior[inside].mean() > prior[~inside].mean() + 0.1
        assert not np.array_equal(prior > 0.5, inside)


def test_kept_samples_come_back(disc_site: DiscSite, tmp_path: Path) -> None:
    samples = [sample(disc_site(seed, size=(120, 160)), "ab"[seed % 2]) for seed in range(4)]
    assert keep(tmp_path, samples, longest=80) == 4
    found = recall(tmp_path)
    assert sorted(one.label for one in found) == ["a", "a", "b", "b"]
    assert all(one.picture.size == (60, 80) for one in found)
    assert all(0.5 < one.mask.area * 4 / samples[0].mask.area < 1.5 for one in found)
    assert recall(tmp_path / "nowhere") == ()


def test_the_memory_has_an_end_and_keeps_every_class(disc_site: DiscSite, tmp_path: Path) -> None:
    many = [sample(disc_site(seed, size=(24, 24)), "common") for seed in range(MOST_KEPT + 4)]
    assert keep(tmp_path, [*many, sample(disc_site(99, size=(24, 24)), "rare")], 80) == MOST_KEPT
    assert [one.label for one in recall(tmp_path)].count("rare") == 1


@pytest.mark.parametrize("text", ["[]", "{", '{"items": [{"id": "../../x", "class": "a"}]}'])
def test_a_memory_that_adapt_did_not_write_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(InputError, match="remove"):
        recall(tmp_path)


def test_the_budget_follows_memory_and_cores() -> None:
    small, large = Budget(2, 1 << 30), Budget(16, 64 << 30)
    assert small.copies(20 << 20, 10, 4) < large.copies(20 << 20, 10, 4) == 4
    assert small.copies(1 << 30, 10, 4) == 0
    assert small.batch(100 << 20) == 1
    assert large.batch(1 << 20) > 1
    assert small.first_block(16) > large.first_block(16) > 0
    here = this_machine()
    assert here.cores >= 1
    assert here.memory > 1 << 20


@pytest.mark.parametrize("field", [{"epochs": 0}, {"aside": 0.9}, {"learning_rate": 2.0}, {"batch": 0}])
def test_options_out_of_range_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        AdaptOptions(**field)  # type: ignore[arg-type]
