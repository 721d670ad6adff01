# What each function may do: the actions that its code calls, on the resources that it calls them on.
# What a job's targets need (a topic, a bucket, a function) is named by the variable `targets`, and granted in targets.tf. What
# that does not cover can be attached to the output `executor_role_name`.

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
      # A transaction is authorised as the actions that it holds.
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

  # The schedule of a job that is called off, held back or planned anew is taken back.
  statement {
    sid       = "TakeBackSchedules"
    actions   = ["scheduler:DeleteSchedule"]
    resources = [local.schedules]
  }

  # Sessions come in here alone.
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

  # A redrive is done by SQS in the caller's name, so the caller needs what moving a message takes. The other half,
  # sending to the queue, is in arm_timers.
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
    sid       = "ParkDeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

# Both functions arm timers: the api a job's first fire, the executor that of a recurring job's next run. What is due soon is
# a message, what is due later than SQS can delay it a schedule. The executor also sends an early message on its way, and
# the fire of a job that its dead letter revived.
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

# The executor opens a session to fill in an input, the api to check one that is changed.
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

# No logs:CreateLogGroup: the groups exist before the functions, with their retention.
data "aws_iam_policy_document" "write_logs" {
  for_each = local.functions

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function[each.key].arn}:*"]
  }
}

# --- Uses of the customer managed key. Without one these two documents are empty. ---------------------------------

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
