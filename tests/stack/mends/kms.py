"""KMS: authorises requests by their encryption context."""

import json

from ministack.core import iam_actions

from . import replace


def mend() -> None:
    replace(iam_actions, "request_tag_context", _with_the_encryption_context)


def _with_the_encryption_context(original):
    """Policies may require `kms:EncryptionContext:<name>`. The emulator checks the context itself but does not pass it to
    policies, so it would deny every action that requires one.
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
