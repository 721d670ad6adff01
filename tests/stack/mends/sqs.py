"""SQS: limits of AWS, and the redrive of a dead-letter queue."""

import json
import time
import uuid

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import sqs

from . import replace, require
from .iam import caller_may

LONGEST_DELAY_SECONDS = 900
LONGEST_VISIBILITY_SECONDS = 43_200

_move_tasks = AccountRegionScopedDict()  # ARN of the source queue -> its tasks, newest first


def mend() -> None:
    require(sqs, "_Err", "_HANDLERS", "_queue_by_arn", "_queues")
    replace(sqs, "_act_send_message", _limited("DelaySeconds", LONGEST_DELAY_SECONDS))
    replace(sqs, "_act_change_visibility", _limited("VisibilityTimeout", LONGEST_VISIBILITY_SECONDS))
    sqs._HANDLERS.update(
        SendMessage=sqs._act_send_message,
        ChangeMessageVisibility=sqs._act_change_visibility,
        StartMessageMoveTask=_start_message_move_task,
        ListMessageMoveTasks=_list_message_move_tasks,
    )


def _limited(parameter: str, most: int):
    """AWS refuses a delay above 15 minutes and a visibility timeout above 12 hours; the emulator accepts both. (A batch of
    visibility timeouts is not checked.)
    """

    def wrap(original):
        def act(data, queue_url):
            value = data.get(parameter)
            if value is not None and not 0 <= int(value) <= most:
                raise sqs._Err(
                    "InvalidParameterValue",
                    f"Value {value} for parameter {parameter} is invalid. Reason: {parameter} must be >= 0 and <= {most}.",
                )
            return original(data, queue_url)

        return act

    return wrap


def _start_message_move_task(data, _queue_url):
    """Moves the messages of a dead-letter queue to `DestinationArn`, or each to the queue from which a redrive policy took it. A
    message that was sent directly to the dead-letter queue has no such source: without a destination, the task then fails, as on
    AWS. Moved messages are new ones with the same body and attributes. Here the task completes at once.
    """
    source_arn, destination_arn = data.get("SourceArn", ""), data.get("DestinationArn")
    source = _queue(source_arn)
    if not any(_dead_letter_target(queue) == source_arn for queue in sqs._queues.values()):
        raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
        _authorise(f"sqs:{action}", source_arn)

    now = time.time()
    waiting = [message for message in source["messages"] if message["visible_at"] <= now]
    task = {
        "TaskHandle": str(uuid.uuid4()),
        "Status": "COMPLETED",
        "SourceArn": source_arn,
        "ApproximateNumberOfMessagesToMove": len(waiting),
        "ApproximateNumberOfMessagesMoved": 0,
        "StartedTimestamp": int(now * 1000),
    }
    if destination_arn:
        task["DestinationArn"] = destination_arn
        _queue(destination_arn)
    for message in waiting:
        target_arn = destination_arn or message["sys"].get("DeadLetterQueueSourceArn")
        if target_arn is None:
            task.update(Status="FAILED", FailureReason="CouldNotDetermineMessageSource")
            break
        _authorise("sqs:SendMessage", target_arn)
        send(target_arn, message["body"], message["message_attributes"])
        source["messages"].remove(message)
        task["ApproximateNumberOfMessagesMoved"] += 1
    _move_tasks.setdefault(source_arn, []).insert(0, task)
    return {"TaskHandle": task["TaskHandle"]}


def _list_message_move_tasks(data, _queue_url):
    """Returns the latest tasks of a source queue, newest first. Only a running task has a handle, and none runs here."""
    tasks = _move_tasks.get(data.get("SourceArn", ""), [])[: int(data.get("MaxResults", 1))]
    return {"Results": [{key: value for key, value in task.items() if key != "TaskHandle"} for task in tasks]}


def send(queue_arn: str, body: str, attributes: dict) -> None:
    """Sends a message as AWS services do, to a queue named by its ARN."""
    url = _queue(queue_arn)["url"]
    sqs._act_send_message({"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes}, url)


def exists(queue_arn: str) -> bool:
    """True if there is a queue with this ARN."""
    return sqs._queue_by_arn(queue_arn) is not None


def _queue(arn: str) -> dict:
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err("ResourceNotFoundException", f"There is no queue {arn}.", 404)
    return queue


def _dead_letter_target(queue: dict) -> str | None:
    return json.loads(queue["attributes"].get("RedrivePolicy") or "{}").get("deadLetterTargetArn")


def _authorise(action: str, queue_arn: str) -> None:
    if not caller_may(action, queue_arn):
        raise sqs._Err("AccessDenied", f"The caller is not allowed {action} on {queue_arn}.", 403)
