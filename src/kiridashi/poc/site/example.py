"""The site file to begin from."""

from importlib.resources import files

# The text of a file with every key explained.
EXAMPLE = files(__package__).joinpath("example.yaml").read_text(encoding="utf-8")
