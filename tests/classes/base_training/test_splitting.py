import pytest
import torch

from kiridashi.classes.base_training.gathering import DRAWN, Gathered
from kiridashi.classes.base_training.splitting import split_classes
from kiridashi.core.errors import InputError

from .material import vectors


@pytest.mark.parametrize(("share", "aside"), [(0.1, 4), (0.6, 5), (0.75, 6)])
def test_every_class_is_in_one_part(share: float, aside: int) -> None:
    split = split_classes(vectors(8), share, seed=0)
    assert sorted(split.trained + split.stopping + split.judging) == list("abcdefgh")
    assert len(split.stopping) + len(split.judging) == aside
    assert 0 <= len(split.stopping) - len(split.judging) <= 1
    assert split == split_classes(vectors(8), share, seed=0)
    assert len({split_classes(vectors(8), share, seed) for seed in range(6)}) > 1


def test_classes_of_few_objects_are_trained_on() -> None:
    whole = vectors(8)
    few = whole.labels < 3
    origins = torch.where(few, DRAWN, whole.origins)
    origins[(whole.labels == 3)] = 0
    pictures = torch.where(whole.labels == 3, 0, whole.pictures)
    gathered = Gathered(whole.embeddings, whole.labels, pictures, origins, whole.names)
    assert split_classes(gathered, 0.9, seed=0).trained == tuple("abcd")


def test_too_few_classes_are_told() -> None:
    with pytest.raises(InputError, match=r"needs 6 classes.*has 5 and 5.*work with the plain embedding"):
        split_classes(vectors(5), 0.25, seed=0)
    with pytest.raises(InputError, match="has 8 and 0"):
        split_classes(vectors(8, each=7), 0.25, seed=0)
