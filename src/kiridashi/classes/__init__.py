"""Classes that grow: incremental few-shot instance segmentation."""
