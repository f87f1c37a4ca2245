"""Controlled changes of a clip: what a camera, the light or a passer-by may do to it, in known strength.

Bromley et al. ("An Analysis of Data Transformation Effects on Segment Anything 2") look at SAM 2 through
transformed copies of DAVIS. Their list is not fully known; these are occlusion, lighting, speed and
viewpoint, which are named of it, cuts and interjections of their earlier work (arXiv 2410.22451), and others
that a site meets. Each has severities 1 to 5, is seeded, changes frame and label map together, and sees one
frame at a time.
"""

from kiridashi.transforms.frame import Frame, Transform
from kiridashi.transforms.registry import CARDS, PRESETS, Card, Choice, build, parse_choices

__all__ = ["CARDS", "PRESETS", "Card", "Choice", "Frame", "Transform", "build", "parse_choices"]
