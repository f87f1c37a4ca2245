"""Test-time geometric alignment (TTGA): the neck tuned on the references alone."""
