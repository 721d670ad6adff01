"""KMS: requests that are held to their encryption context."""

import json

from ministack.core import iam_actions

from . import replace


def mend() -> None:
    replace(iam_actions, "request_tag_context", _with_the_encryption_context)


def _with_the_encryption_context(original):
    """Policies may ask for `kms:EncryptionContext:<name>`. The emulator, which checks the context itself, tells them nothing
    of it, so that whatever is allowed only with one would be denied.
    """

    def context(service, action, body, query):
        found = original(service, action, body, query)
        if service != "kms":
            return found
        try:
            given = json.loads(body or b"{}").get("EncryptionContext") or {}
        except ValueError:
            return found
        names = {f"kms:EncryptionContext:{name}": value for name, value in given.items()}
        return {**found, **names, "kms:EncryptionContextKeys": list(given)}

    return context
