"""A trunk in two: what is frozen runs once a picture, what is tuned runs at every step."""

from typing import Any

from torch import Tensor

from kiridashi.models.compact.trunk import CompactTrunk

Maps = tuple[Tensor, ...]


def block_count(trunk: Any) -> int:
    """Number of blocks before any of which the trunk can be cut; 0 for a trunk that is taken whole."""
    return len(trunk.blocks) if isinstance(trunk, CompactTrunk) or _is_hiera(trunk) else 0


def below(trunk: Any, pixels: Tensor, first: int) -> Maps:
    """What the blocks before `first` make of (B, 3, S, S): the state there, and the levels passed so far."""
    if isinstance(trunk, CompactTrunk):
        from torch.nn.functional import relu6

        return _through(trunk, relu6(trunk.stem(pixels)), (), range(first), set(trunk.config.out_blocks))
    if _is_hiera(trunk):
        state = trunk.patch_embed(pixels)
        state = state + trunk._get_pos_embed(state.shape[1:3])
        return _through(trunk, state, (), range(first), set(trunk.stage_ends))
    return (pixels,)


def above(trunk: Any, kept: Maps, first: int) -> Maps:
    """The maps that the neck reads, (B, h, w, C) from fine to coarse, from what `below` gave."""
    state, passed = kept[0], kept[1:]
    if isinstance(trunk, CompactTrunk):
        rest = range(first, len(trunk.blocks))
        maps = _through(trunk, state, passed, rest, set(trunk.config.out_blocks))[1:]
        joined: Maps = trunk.join(maps).intermediate_hidden_states or ()
        return joined
    if _is_hiera(trunk):
        rest = range(first, len(trunk.blocks))
        return _through(trunk, state, passed, rest, set(trunk.stage_ends))[1:]
    output = trunk(state)
    named = getattr(output, "intermediate_hidden_states", None)
    if named is not None:
        return tuple(named)
    return tuple(level.permute(0, 2, 3, 1) for level in output.last_hidden_state)


def _through(trunk: Any, state: Tensor, passed: Maps, blocks: range, ends: set[int]) -> Maps:
    for number in blocks:
        state = trunk.blocks[number](state)
        if number in ends:
            passed = (*passed, state)
    return (state, *passed)


def _is_hiera(trunk: Any) -> bool:
    return hasattr(trunk, "patch_embed") and hasattr(trunk, "stage_ends") and hasattr(trunk, "blocks")
