"""GTFormer (Pro2SAM, stage 1): a transformer with global tokens that says what is there and roughly where."""
