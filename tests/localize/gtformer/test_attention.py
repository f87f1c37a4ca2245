import torch

from kiridashi.localize.gtformer.attention import Block

WIDTH, HEADS, LENGTH = 24, 3, 13


def lively(drop_path: float = 0.0, temperature: float = 1.0) -> Block:
    torch.manual_seed(0)
    block = Block(WIDTH, HEADS, 2.0, drop_path, temperature)
    with torch.no_grad():
        block.attn.qkv.weight.normal_(0, 0.25)
    return block


def matrices(block: Block, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A (B, heads, T, T) and v (B, heads, T, d), written out."""
    parts = block.attn.qkv(block.norm1(x)).view(len(x), LENGTH, 3, HEADS, WIDTH // HEADS)
    query, key, value = parts.permute(2, 0, 3, 1, 4)
    return query @ key.transpose(-2, -1) / (WIDTH // HEADS) ** 0.5, value


def finished(block: Block, x: torch.Tensor, heads: torch.Tensor) -> torch.Tensor:
    k = x + block.attn.proj(heads.transpose(1, 2).flatten(2))
    mlp: torch.Tensor = block.fc2(torch.nn.functional.gelu(block.fc1(block.norm2(k))))
    whole: torch.Tensor = k + mlp
    return whole


def test_a_gated_block_is_the_published_formula() -> None:
    block, x = lively(temperature=2.0), torch.randn(2, LENGTH, WIDTH)
    logits, value = matrices(block, x)
    each = torch.stack([(2.0 * logits[:, :, k].mean(dim=1)).sigmoid() for k in range(-4, 0)], dim=1)
    gate = each.mean(dim=1)[:, None, None]
    expected = finished(block, x, (logits.softmax(dim=-1) * gate) @ value)
    found, gates = block.global_aware(x)
    torch.testing.assert_close(gates, each)
    torch.testing.assert_close(found, expected)
    assert gates.shape == (2, 4, LENGTH)
    assert gates.min() > 0
    assert gates.max() < 1
    # The example says something: the gates differ from place to place.
    assert gates.std() > 0.05


def test_an_ordinary_block_has_no_gate() -> None:
    block, x = lively(), torch.randn(2, LENGTH, WIDTH)
    logits, value = matrices(block, x)
    torch.testing.assert_close(block(x), finished(block, x, logits.softmax(dim=-1) @ value))
    assert (block(x) - block.global_aware(x)[0]).abs().max() > 0.01


def test_stochastic_depth_leaves_whole_pictures_out_in_training_only() -> None:
    block, x = lively(drop_path=0.5), torch.randn(64, LENGTH, WIDTH)
    torch.manual_seed(1)
    block.train()
    changed = (block(x) - x).abs().amax(dim=(1, 2)) > 0
    assert 0 < int((~changed).sum()) < 40
    block.eval()
    torch.testing.assert_close(block(x), lively()(x))
