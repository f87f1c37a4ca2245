"""The recipes that make the shipped weights; not part of the installed package."""
