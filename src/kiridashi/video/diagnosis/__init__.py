"""Looks at a clip through the stages of a model, and says where the object is lost, under what, and why."""
