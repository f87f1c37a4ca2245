"""The pictures of the demonstration, all from scikit-image's wheel, and what is true of them."""

from kiridashi.demo.coins import Coins, coins, without_coins

__all__ = ["Coins", "coins", "without_coins"]
