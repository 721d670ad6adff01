"""Lambda: how soon a function learns of its work."""

import socketserver

from ministack.core import concurrency

from . import require


def mend() -> None:
    require(concurrency, "esm_wake")
    # The Runtime API writes headers and body apart, so that Nagle's algorithm holds the body back for 40 ms or more.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def poll_queues() -> None:
    """Has event source mappings look at their queues now. The emulator does when a message is sent, but learns only within
    a second that a delay or a visibility timeout has ended; AWS, which always has a poll waiting, within milliseconds.
    """
    concurrency.esm_wake.set()
