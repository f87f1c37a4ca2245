"""Made-up and real clips with masks, and how well a session follows their objects."""
