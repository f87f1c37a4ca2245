"""Kiridashi: teach a Segment Anything model your own objects, and prove that it works."""

__version__ = "0.1.0"
