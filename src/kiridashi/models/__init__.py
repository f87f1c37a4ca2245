"""The promptable core: which models there are, how they load, and how they cut out what they are shown."""
