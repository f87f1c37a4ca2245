"""Value objects and geometry; loads fast and imports nothing of the rooms above."""
