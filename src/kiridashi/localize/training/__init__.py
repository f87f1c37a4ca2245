"""Training of a localiser on labels of whole pictures: `fitting.train`."""
