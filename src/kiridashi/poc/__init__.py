"""From a site's own pictures to a decision: measure a few ways, weigh the money, say go, hold or stop."""
