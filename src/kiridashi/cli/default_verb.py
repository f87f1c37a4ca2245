"""Groups of verbs of which one may be left unsaid: `kiridashi evaluate DATA` is `evaluate pictures DATA`."""

from typing import Any, ClassVar

from typer.core import TyperGroup


class GroupWithDefault(TyperGroup):
    """A group that hands words which start with no verb of its own to its default verb.

    A folder that bears a verb's name is written with a path before it (`./wsol`).

    Attributes:
        default: the verb that may be left unsaid; set by `with_default`.
    """

    default: ClassVar[str]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default verb before the words, unless they name a verb or ask for help."""
        own = {*self.commands, *ctx.help_option_names}
        words = [self.default, *args] if args and args[0] not in own else args
        return list(super().parse_args(ctx, words))


def with_default(verb: str) -> type[GroupWithDefault]:
    """The class of a group whose default verb is `verb`, for `typer.Typer(cls=...)`."""
    return type("Group", (GroupWithDefault,), {"default": verb})
