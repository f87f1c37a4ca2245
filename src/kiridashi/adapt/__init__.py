"""Few-shot fine-tuning: parts of a model tuned on a site's own pictures, kept apart as deltas."""
