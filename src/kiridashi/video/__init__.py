"""Following objects through clips."""
