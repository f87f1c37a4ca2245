import pytest
import torch

from kiridashi.core.errors import UsageError
from kiridashi.localize.training.labels import Targets, balance, split_pictures, targets_of

CLASSES = ("crack", "stain")
CRACK, STAIN, BOTH, NONE = {"crack"}, {"stain"}, {"crack", "stain"}, set[str]()


def test_the_matrix_has_a_row_a_picture_and_a_column_a_class() -> None:
    targets = targets_of([CRACK, BOTH, NONE], CLASSES, "auto")
    assert targets.matrix.tolist() == [[1, 0], [1, 1], [0, 0]]
    assert targets.has_object.tolist() == [True, True, False]
    assert not targets.single


def test_one_label_each_is_told_from_several() -> None:
    assert targets_of([CRACK, STAIN], CLASSES, "auto").single
    assert not targets_of([CRACK, STAIN], CLASSES, "multiple").single
    assert not targets_of([CRACK, STAIN, NONE], CLASSES, "auto").single
    # With one class the softmax is 1 whatever is seen.
    assert not targets_of([CRACK, NONE], ("crack",), "auto").single
    with pytest.raises(UsageError, match="labels=single needs exactly one label a picture"):
        targets_of([CRACK, STAIN, NONE], CLASSES, "single")


@pytest.mark.parametrize(
    ("labels", "classes", "told"),
    [
        ([CRACK, CRACK], ("crack",), r"every picture has the same labels \(crack\).*label OK"),
        ([BOTH, BOTH], CLASSES, "nothing to tell apart"),
        ([CRACK, {"dent"}], CLASSES, "label 'dent' is none of the classes crack, stain"),
        ([CRACK, NONE], CLASSES, "no picture has the label 'stain'"),
        ([NONE], (), "got 1 pictures and 0 classes"),
        ([], CLASSES, "got 0 pictures"),
        ([CRACK, NONE], ("crack", "crack"), "each class is named once"),
    ],
)
def test_what_nothing_can_be_learned_from_is_told(
    labels: list[set[str]], classes: tuple[str, ...], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        targets_of(labels, classes, "auto")


def test_each_kind_of_picture_gives_its_share_and_none_is_used_up() -> None:
    labels = [CRACK] * 40 + [STAIN] * 1 + [NONE] * 20 + [BOTH] * 10
    matrix = targets_of(labels, CLASSES, "auto").matrix
    learned, aside = split_pictures(matrix, 0.2, seed=0)
    assert sorted(learned + aside) == list(range(71))
    kinds = [tuple(matrix[number].tolist()) for number in aside]
    assert [kinds.count(kind) for kind in ((1, 0), (0, 1), (0, 0), (1, 1))] == [8, 0, 4, 2]
    assert split_pictures(matrix, 0.2, seed=0) == (learned, aside)
    assert split_pictures(matrix, 0.2, seed=1) != (learned, aside)


def test_of_a_few_pictures_none_is_held_aside() -> None:
    matrix = targets_of([CRACK, STAIN] * 5, CLASSES, "auto").matrix
    assert split_pictures(matrix, 0.5, seed=0) == (list(range(10)), [])
    assert split_pictures(matrix.repeat(10, 1), 0.0, seed=0)[1] == []


def test_rare_classes_weigh_more_up_to_a_cap() -> None:
    matrix = torch.zeros(100, 2)
    matrix[:98, 0] = 1
    matrix[98:, 1] = 1
    one = balance(Targets(matrix, True), cap=10)
    torch.testing.assert_close(one, torch.tensor([100 / 196, 10.0]))
    assert balance(Targets(matrix, True), cap=100).tolist() == pytest.approx([100 / 196, 25])
    several = balance(Targets(matrix, False), cap=10)
    # Common classes are not held down.
    torch.testing.assert_close(several, torch.tensor([1.0, 10.0]))
