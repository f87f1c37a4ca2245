"""Following objects through a video with a memory that does not grow."""

from kiridashi.models.video.options import MemoryOptions
from kiridashi.models.video.result import FrameResult, ObjectResult
from kiridashi.models.video.session import VideoSession

__all__ = ["FrameResult", "MemoryOptions", "ObjectResult", "VideoSession"]
