"""The video stage: the memory, on made-up and real clips."""
