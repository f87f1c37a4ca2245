"""Looks into a model while it works: what each of its stages makes of a frame.

The five observation points of Bromley et al. ("An Analysis of Data Transformation Effects on Segment
Anything 2"), by forward hooks, so that the model itself knows nothing of them and every model of the
catalogue can be looked at.
"""

from kiridashi.models.observing.moments import Components, Moments
from kiridashi.models.observing.observer import Observer, observe
from kiridashi.models.observing.points import Point, Stage, stages_of

__all__ = ["Components", "Moments", "Observer", "Point", "Stage", "observe", "stages_of"]
