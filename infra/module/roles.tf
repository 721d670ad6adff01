# Permissions of the functions: each gets only the actions that its code uses, on the resources that it uses them on.
# The variable `targets` lists the targets of jobs (a topic, a bucket, a function); targets.tf grants them. Attach further
# policies to the role in the output `executor_role_name`.

resource "aws_iam_role" "function" {
  for_each = local.functions

  name               = "${var.name}-${each.key}"
  description        = "${each.key} function of ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.function_trust.json
}

data "aws_iam_policy_document" "function_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "function" {
  for_each = {
    api      = data.aws_iam_policy_document.api.json
    executor = data.aws_iam_policy_document.executor.json
  }

  name   = each.key
  role   = aws_iam_role.function[each.key].id
  policy = each.value
}

data "aws_iam_policy_document" "api" {
  source_policy_documents = [
    data.aws_iam_policy_document.arm_timers.json,
    data.aws_iam_policy_document.open_sessions.json,
    data.aws_iam_policy_document.secrets.json,
    data.aws_iam_policy_document.write_logs["api"].json,
    data.aws_iam_policy_document.table_key.json,
    data.aws_iam_policy_document.queue_key.json,
  ]

  statement {
    sid = "Items"
    actions = [
      # IAM authorises a transaction by the actions in it.
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:UpdateItem",
    ]
    resources = [aws_dynamodb_table.carillon.arn]
  }

  statement {
    sid       = "Lists"
    actions   = ["dynamodb:Query"]
    resources = [aws_dynamodb_table.carillon.arn, "${aws_dynamodb_table.carillon.arn}/index/by_status"]
  }

  # Cancelling, holding or rescheduling a job deletes its schedule.
  statement {
    sid       = "DeleteSchedules"
    actions   = ["scheduler:DeleteSchedule"]
    resources = [local.schedules]
  }

  # Only the api receives sessions.
  statement {
    sid       = "SealSessions"
    actions   = ["kms:GenerateDataKey"]
    resources = [aws_kms_key.sealing.arn]

    condition {
      test     = "StringEquals"
      variable = local.sealing_context.variable
      values   = local.sealing_context.values
    }
  }

  # SQS moves the messages of a redrive with the permissions of the caller. The one to send to the queue is in arm_timers.
  statement {
    sid = "RedriveDeadLetters"
    actions = [
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ListMessageMoveTasks",
      "sqs:ReceiveMessage",
      "sqs:StartMessageMoveTask",
    ]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

data "aws_iam_policy_document" "executor" {
  source_policy_documents = [
    data.aws_iam_policy_document.arm_timers.json,
    data.aws_iam_policy_document.open_sessions.json,
    data.aws_iam_policy_document.secrets.json,
    data.aws_iam_policy_document.targets.json,
    data.aws_iam_policy_document.write_logs["executor"].json,
    data.aws_iam_policy_document.table_key.json,
    data.aws_iam_policy_document.queue_key.json,
  ]

  statement {
    sid = "Items"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      # The parts of a run that are done.
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = [aws_dynamodb_table.carillon.arn]
  }

  # The event source mapping polls under this role.
  statement {
    sid = "ConsumeDueFires"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
    ]
    resources = [aws_sqs_queue.due.arn]
  }

  statement {
    sid       = "SendDeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

# Both functions arm timers: the api for the first fire of a job, the executor for the next run of a recurring job. The timer of
# a fire that is due soon is a message; that of a fire beyond the delay of SQS is a schedule. The executor also sends again a
# message that arrived early, and sends the fire of a job that its dead letter revived.
data "aws_iam_policy_document" "arm_timers" {
  statement {
    sid       = "SendDueFires"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.due.arn]
  }

  statement {
    sid       = "MakeSchedules"
    actions   = ["scheduler:CreateSchedule", "scheduler:GetSchedule"]
    resources = [local.schedules]
  }

  statement {
    sid       = "PassSchedulerRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.scheduler.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["scheduler.amazonaws.com"]
    }
  }
}

# The executor opens a session to fill in an input, the api to check a changed input.
data "aws_iam_policy_document" "open_sessions" {
  statement {
    sid       = "OpenSessions"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.sealing.arn]

    condition {
      test     = "StringEquals"
      variable = local.sealing_context.variable
      values   = local.sealing_context.values
    }
  }
}

# Without logs:CreateLogGroup, because the groups exist before the functions, with their retention.
data "aws_iam_policy_document" "write_logs" {
  for_each = local.functions

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function[each.key].arn}:*"]
  }
}

# --- Uses of the customer managed key: without a key, both documents are empty. -----------------------------------

data "aws_iam_policy_document" "table_key" {
  dynamic "statement" {
    for_each = var.kms_key_arn[*]
    content {
      sid = "TableKey"
      actions = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
      ]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["dynamodb.${local.region}.amazonaws.com"]
      }
    }
  }
}

data "aws_iam_policy_document" "queue_key" {
  dynamic "statement" {
    for_each = var.kms_key_arn[*]
    content {
      sid       = "QueueKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["sqs.${local.region}.amazonaws.com"]
      }
    }
  }
}
