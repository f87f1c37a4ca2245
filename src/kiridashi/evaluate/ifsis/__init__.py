"""Incremental few-shot instance segmentation: base classes first, a few instances of novel ones later.

The protocol of iMTFA (Ganea et al., 2021, arXiv 2105.05312, section 4) and of SAM-IF, on any set of pictures
with instances: K instances a novel class drawn by a seed, mask AP over all, base and novel classes, and what
the base classes lost.
"""
