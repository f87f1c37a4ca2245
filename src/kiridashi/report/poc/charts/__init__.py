"""The charts of a proof of concept."""
