"""IAM: the action, resource and context by which a request is authorised."""

import json
import re

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam

from . import replace, require


def mend() -> None:
    require(iam_evaluator, "EvalContext", "evaluate", "evaluate_resource_policy", "caller_arn", "_gather_role_policies")
    require(iam, "_roles")
    replace(app, "pin_request_origin", _every_request_is_encrypted)
    replace(iam_actions, "extract_iam_action", _name_the_action)
    replace(iam_actions, "extract_resource_arn", _name_the_resource)


def _every_request_is_encrypted(original):
    """The emulator uses plain HTTP on the loopback interface, which counts as TLS for policies that require it."""
    return lambda source_ip, _secure: original(source_ip, True)


def _name_the_action(original):
    """AWS authorises a PartiQL statement by its verb, as PartiQLSelect, PartiQLInsert and so on, not as ExecuteStatement."""

    def extract(service, method, path, headers, body, query):
        found = original(service, method, path, headers, body, query)
        if found == "dynamodb:ExecuteStatement":
            return f"dynamodb:PartiQL{_statement(body)[0].capitalize()}"
        return found

    return extract


def _statement(body: bytes) -> tuple[str, str]:
    """Returns the verb of a PartiQL statement and its table."""
    found = re.match(r'\s*(\w+)[^"]*"([^"]+)"', _field(body, "Statement") or "")
    return (found[1], found[2]) if found else ("select", "*")


def _name_the_resource(original):
    """The resource of a schedule has its group (always `default` in the emulator), that of a message move is its source queue, of
    a PartiQL statement its table, and of an e-mail its sender."""

    def extract(service, method, path, headers, body, query, region, account):
        found = original(service, method, path, headers, body, query, region, account)
        if service == "scheduler" and path.startswith("/schedules/"):
            group = _field(body, "GroupName") or (query.get("groupName") or ["default"])[0]
            return f"arn:aws:scheduler:{region}:{account}:schedule/{group}/{path.split('/')[2]}"
        if service == "dynamodb" and _field(body, "Statement"):
            return f"arn:aws:dynamodb:{region}:{account}:table/{_statement(body)[1]}"
        if service == "ses" and path == "/v2/email/outbound-emails":
            return f"arn:aws:ses:{region}:{account}:identity/{_field(body, 'FromEmailAddress')}"
        if service == "sqs" and found == "*":
            return _field(body, "SourceArn") or found
        return found

    return extract


def _field(body: bytes, name: str) -> str | None:
    try:
        return json.loads(body or b"{}").get(name)
    except ValueError:
        return None


def caller_may(action: str, resource: str, **context: str) -> bool:
    """True if the caller of the current request is allowed `action` on `resource`."""
    caller = iam_evaluator.caller_arn()
    if ":assumed-role/" not in caller:
        return True  # the account's root
    return _role_may(caller.split("/")[1], action, resource, context)


def service_may(service: str, role_arn: str, source_arn: str, action: str, resource: str) -> bool:
    """True if an AWS service that acts for `source_arn` can assume the role, and the role is allowed `action`."""
    return service_may_assume(service, role_arn, source_arn) and _role_may(_name(role_arn), action, resource, {})


def service_may_assume(service: str, role_arn: str, source_arn: str) -> bool:
    """True if the role's trust policy lets an AWS service that acts for `source_arn` assume it."""
    role = iam._roles.get_scoped(get_account_id(), None, _name(role_arn))
    if role is None:
        return False
    source = {"aws:sourcearn": source_arn, "aws:sourceaccount": parse_arn(source_arn).account_id}
    request = _request(service, "sts:AssumeRole", role_arn, source)
    return iam_evaluator.evaluate_resource_policy(role["AssumeRolePolicyDocument"], request, service=service).decision == "Allow"


def _role_may(role: str, action: str, resource: str, context: dict[str, str]) -> bool:
    policies = iam_evaluator._gather_role_policies(role, get_account_id())
    return iam_evaluator.evaluate(_request(role, action, resource, context), policies).decision == "Allow"


def _request(principal: str, action: str, resource: str, context: dict[str, str]):
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context={key.lower(): value for key, value in context.items()},
    )


def _name(role_arn: str) -> str:
    return role_arn.rsplit("/", 1)[-1]
