"""Lambda: delivers work to functions without delay."""

import socketserver

from ministack.core import concurrency

from . import require


def mend() -> None:
    require(concurrency, "esm_wake")
    # The Runtime API writes headers and body separately, so Nagle's algorithm would delay the body by 40 ms or more.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def poll_queues() -> None:
    """Makes event source mappings poll their queues now. The emulator polls when a message is sent, but notices the end of a
    delay or a visibility timeout only within a second. AWS, which always has a poll waiting, takes milliseconds.
    """
    concurrency.esm_wake.set()
