"""Weakly supervised localisation: from labels of whole pictures to boxes and masks."""
