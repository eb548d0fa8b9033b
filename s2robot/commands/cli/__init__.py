"""What all commands share: finding them, parsing their words, composing options, reporting mistakes."""

from s2robot.commands.cli.dispatch import main

__all__ = ["main"]
