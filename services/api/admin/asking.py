"""What commands ask for: secrets come from standard input, never from the command line, which every user can read."""

import getpass
import sys

from services.api.accounts.directory import NotPossible


def ask_secret(prompt: str) -> str:
    """A secret, without an echo where a person types it.

    Raises:
        NotPossible: nothing came.
    """
    text = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not text:
        raise NotPossible("nothing was entered")
    return text
