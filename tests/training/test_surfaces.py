from pathlib import Path

import numpy as np
import pytest
from training.surfaces import DEFECTS, SURFACES, draw_picture, draw_site, write_set

from kiridashi.evaluate.episodes import FewShotSet, sample_episodes


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("surface", ["brushed", "weave", "gravel"])
def test_the_marked_pixels_are_the_ones_that_differ(surface: str, defect: str) -> None:
    site = draw_site(surface, defect, np.random.default_rng(1))
    picture, mask = draw_picture(site, np.random.default_rng(2))
    assert picture.shape == (*site.size, 3)
    assert 20 < mask.sum() < 0.5 * mask.size
    grey = picture.mean(axis=2)
    away = grey[~mask]
    inside = grey[mask]
    shift = abs(inside.mean() - away.mean()) / away.std()
    roughness = abs(np.log(inside.std() / away.std()))
    assert max(shift, roughness) > 0.25


@pytest.mark.parametrize("surface", SURFACES)
def test_every_surface_has_structure_and_keeps_within_range(surface: str) -> None:
    site = draw_site(surface, "spot", np.random.default_rng(3))
    picture, mask = draw_picture(site, np.random.default_rng(4))
    clean = picture[~mask].astype(float)
    assert clean.std() > 2
    assert np.isin(clean, (0, 255)).mean() < 0.05


def test_a_site_is_written_for_each_pair_and_equal_seeds_agree(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("a", "b", "c"))
    count = write_set(first, 90, seed=5)
    assert count == 2 * len(SURFACES) * len(DEFECTS)
    write_set(second, 90, seed=5)
    write_set(other, 90, seed=6)
    names = sorted(path.name for path in (first / "images").iterdir())
    assert len(names) == count
    sample = names[::17]
    for name in sample:
        assert (first / "images" / name).read_bytes() == (second / "images" / name).read_bytes()
        assert (first / "images" / name).read_bytes() != (other / "images" / name).read_bytes()
    source = FewShotSet(first)
    assert len(source.classes) == len(SURFACES) * len(DEFECTS)
    episode = sample_episodes(source, 1, 1, 0)[0]
    assert not source.read(episode.query, episode.label).mask.is_empty
