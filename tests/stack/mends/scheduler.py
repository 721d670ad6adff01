"""EventBridge Scheduler: one-time schedules that send to a queue, on time and with their role."""

import logging
import re
import time
from datetime import datetime
from zoneinfo import ZoneInfo

from ministack.core import iam_evaluator
from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import scheduler

from . import functions, iam, replace, require, sqs

SERVICE = "scheduler.amazonaws.com"
TICK_SECONDS = 0.1

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_log = logging.getLogger("mends.scheduler")
_fired = set()  # (account, region, group/name, last change) of schedules that have fired but are kept


def mend() -> None:
    require(scheduler, "_schedules", "_json_resp", "_error", "_group_arn")
    # AWS is precise to a minute, the emulator to ten seconds. Tests wait for schedules, so here it is 0.1 s.
    replace(scheduler, "_SCHEDULE_TICK_INTERVAL", lambda _: TICK_SECONDS)
    replace(scheduler, "_tick_schedules", lambda _: _tick)
    replace(scheduler, "_create_schedule", _checked)


def _checked(original):
    """AWS refuses an invalid expression or zone, and a role that the caller may not pass or Scheduler may not assume. A second
    request with the same client token is a repetition, not a conflict.
    """

    def create(name, body):
        group, target, token = body.get("GroupName", "default"), body.get("Target") or {}, body.get("ClientToken")
        problem, role_arn = _problem(body), target.get("RoleArn", "")
        if problem:
            return scheduler._error(400, "ValidationException", problem)
        if not iam.caller_may("iam:PassRole", role_arn, **{"iam:PassedToService": SERVICE}):
            return scheduler._error(403, "AccessDeniedException", f"The caller is not allowed iam:PassRole on {role_arn}.")
        if not iam.service_may_assume(SERVICE, role_arn, scheduler._group_arn(group)):
            problem = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
            return scheduler._error(400, "ValidationException", problem)
        existing = scheduler._schedules.get(f"{group}/{name}")
        if existing and token and existing["ClientToken"] == token:
            return scheduler._json_resp(200, {"ScheduleArn": existing["Arn"]})
        answer = original(name, body)
        if answer[0] == 200:
            scheduler._schedules[f"{group}/{name}"]["ClientToken"] = token
        return answer

    return create


def _problem(body) -> str | None:
    target = body.get("Target") or {}
    if not str(target.get("Arn", "")).startswith("arn:aws:sqs:"):
        return "Not emulated: targets other than queues."
    if not isinstance(target.get("Input"), str):
        return "Not emulated: a target without Input."
    try:
        _due_at(body)
    except (KeyError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError
        return f"Invalid Schedule Expression or Timezone: {error}. (Not emulated: rate and cron.)"
    return None


def _due_at(schedule) -> float:
    """Returns the Unix seconds of an at() expression in the schedule's time zone, which the emulator ignores."""
    expression = str(schedule.get("ScheduleExpression"))
    at = _AT.fullmatch(expression)
    if at is None:
        raise ValueError(expression)
    zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")
    return datetime.fromisoformat(at[1]).replace(tzinfo=zone).timestamp()


def _tick() -> None:
    """Fires the schedules that are due. Runs every TICK_SECONDS on a thread of the emulator."""
    functions.poll_queues()
    now = time.time()
    for key, schedule in list(scheduler._schedules._data.items()):
        firing = (*key, schedule["LastModificationDate"])
        if schedule["State"] != "ENABLED" or firing in _fired or _due_at(schedule) > now:
            continue
        _fired.add(firing)
        set_request_account_id(key[0])
        set_request_region(key[1])
        iam_evaluator.pin_request_origin("127.0.0.1", True)
        _deliver(schedule)
        if schedule["ActionAfterCompletion"] == "DELETE":
            scheduler._schedules._data.pop(key, None)


def _deliver(schedule) -> None:
    """Sends to the target with the schedule's role, or to the dead-letter queue with the reason. The emulator does neither."""
    target = schedule["Target"]
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    failure = _failure(schedule, target["Arn"])
    if failure is None:
        sqs.send(target["Arn"], target["Input"], {})
    elif dead_letters and _failure(schedule, dead_letters) is None:
        text = {"ERROR_CODE": failure, "TARGET_ARN": target["Arn"], "SCHEDULE_ARN": schedule["Arn"]}
        sqs.send(dead_letters, target["Input"], {key: {"DataType": "String", "StringValue": value} for key, value in text.items()})
    else:
        _log.error("%s is lost: %s", schedule["Arn"], failure)


def _failure(schedule, queue_arn: str) -> str | None:
    if not sqs.exists(queue_arn):
        return "AWS.SimpleQueueService.NonExistentQueue"
    group_arn = scheduler._group_arn(schedule["GroupName"])
    if not iam.service_may(SERVICE, schedule["Target"]["RoleArn"], group_arn, "sqs:SendMessage", queue_arn):
        return "AccessDenied"
    return None
