"""Training pictures with the exact mask of every object, composed on the fly.

Sources and their licences are in README.md beside this file.
"""

from training.scenes.maker import KINDS, SceneMaker
from training.scenes.scene import IGNORE, Scene

__all__ = ["IGNORE", "KINDS", "Scene", "SceneMaker"]
