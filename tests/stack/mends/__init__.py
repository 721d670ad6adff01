"""Where the emulator differs from AWS in a way that Carillon would notice, and how that is mended.

Each module mends one service; its functions say what AWS does. The emulator's private names are replaced, so every
replacement goes through `replace`, and every private name that is merely used through `require`: an upgrade that moves
one of them stops the emulator at its start, rather than letting a test pass for the wrong reason.
"""

from collections.abc import Callable
from typing import Any


def require(owner: Any, *names: str) -> None:
    """Fails unless `owner` still has every one of `names`."""
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        raise AssertionError(f"{owner.__name__} no longer has {', '.join(missing)}: the mend that uses it must be rewritten")


def replace(owner: Any, name: str, replacement: Callable[[Any], Any]) -> None:
    """Replaces `owner.name` by `replacement(original)`."""
    require(owner, name)
    setattr(owner, name, replacement(getattr(owner, name)))
