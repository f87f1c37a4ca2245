import pytest

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.ifsis.splits import COCO_SPLIT, Split


def test_cocos_split_is_60_and_20_without_a_class_twice() -> None:
    assert (len(COCO_SPLIT.base), len(COCO_SPLIT.novel), len(set(COCO_SPLIT.labels))) == (60, 20, 80)
    assert {"person", "tv", "potted plant", "dining table", "couch"} <= set(COCO_SPLIT.novel)
    assert {"truck", "bear", "zebra", "teddy bear", "toothbrush"} <= set(COCO_SPLIT.base)


@pytest.mark.parametrize(
    ("base", "novel"), [((), ("a",)), (("a",), ()), (("a",), ("a",)), (("a", "a"), ("b",))]
)
def test_a_class_is_base_or_novel(base: tuple[str, ...], novel: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        Split(base, novel)


def test_an_unknown_class_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no class 'sheeps'; did you mean 'sheep'"):
        Split(("cat",), ("sheeps",)).require({"cat", "sheep"}, "pets")
