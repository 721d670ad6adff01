"""Mends for the emulator where it differs from AWS in a way that Carillon notices.

Each module mends one service; its functions document the behaviour of AWS. Mends replace private names of the emulator through
`replace`, and declare private names that they only use with `require`. So an upgrade that moves one of them stops the emulator
at its start, rather than letting a test pass for the wrong reason.
"""

from collections.abc import Callable
from typing import Any


def require(owner: Any, *names: str) -> None:
    """Raises an error unless `owner` still has all `names`."""
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        raise AssertionError(f"{owner.__name__} no longer has {', '.join(missing)}: the mend that uses it must be rewritten")


def replace(owner: Any, name: str, replacement: Callable[[Any], Any]) -> None:
    """Replaces `owner.name` by `replacement(original)`."""
    require(owner, name)
    setattr(owner, name, replacement(getattr(owner, name)))
