"""What it costs now, what it would cost, when it pays, and how sure that is."""

from kiridashi.poc.money.rates import rate_of
from kiridashi.poc.money.reckoning import Measured, worth

__all__ = ["Measured", "rate_of", "worth"]
