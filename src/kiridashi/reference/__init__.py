"""Find the thing of a few reference pictures in new pictures."""
