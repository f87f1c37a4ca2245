import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from kiridashi.core.geometry.nms import mask_nms
from kiridashi.core.mask import Mask

stacks = hnp.arrays(np.bool_, st.tuples(st.integers(0, 6), st.just(4), st.just(5)))


def dense_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


@given(stacks, st.sampled_from([0.0, 0.4, 0.7]), st.integers(0, 2**16))
def test_suppression_on_dense_masks_agrees(stack: NDArray[np.bool_], limit: float, seed: int) -> None:
    scores = np.random.default_rng(seed).choice([0.2, 0.6, 0.8], len(stack))
    kept: list[int] = []
    for candidate in sorted(range(len(stack)), key=lambda index: (-scores[index], index)):
        if all(dense_iou(stack[candidate], stack[better]) <= limit for better in kept):
            kept.append(candidate)
    masks = [Mask.from_array(full) for full in stack]
    assert mask_nms(masks, scores.tolist(), limit).tolist() == kept
