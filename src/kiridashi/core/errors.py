"""Errors whose text a user reads: what was expected, what came, what to do next."""


class KiridashiError(Exception):
    """Base of every error that is the input's or the setting's fault, not the program's."""


class UsageError(KiridashiError):
    """A command or a call was put together wrongly."""


class InputError(KiridashiError):
    """A picture, mask or annotation cannot be used."""


class SizeMismatchError(InputError):
    """A picture and its mask differ in size."""

    def __init__(self, picture: tuple[int, int], mask: tuple[int, int], name: str = "mask") -> None:
        super().__init__(
            f"{name}: the mask is {mask[1]} x {mask[0]} pixels but its picture is "
            f"{picture[1]} x {picture[0]}; save the mask at the picture's size"
        )


class ModelUnavailableError(KiridashiError):
    """A model's files are not on this machine and cannot be fetched now."""
