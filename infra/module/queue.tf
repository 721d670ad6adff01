# The queue of due fires, and the dead-letter queue of those that were given up.

locals {
  # AWS advises six times the function's timeout: a message that waits behind throttled executors must not appear twice.
  visibility_timeout_seconds = 6 * var.executor_timeout_seconds

  retention_seconds = 14 * 24 * 3600 # the longest that SQS keeps a message

  # The redrive policy is for messages that never reach our code: a function that cannot start, or a body that kills it each
  # time. Fires that fail are parked by the executor itself, after at most 101 attempts; each of those, each outage of the
  # table and each lease held elsewhere is also a receive. So the count is the most that SQS allows, less where a message
  # that is received only once in each visibility timeout would otherwise reach the end of its retention, and vanish,
  # before it reaches the count: ten days of receiving leave four to find it in the dead-letter queue. With the longest
  # timeout of 900 seconds that is still 160.
  max_receive_count = min(1000, floor(10 * 24 * 3600 / local.visibility_timeout_seconds))
}

resource "aws_sqs_queue" "due" {
  name                       = "${var.name}-due"
  visibility_timeout_seconds = local.visibility_timeout_seconds
  message_retention_seconds  = local.retention_seconds
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = local.retention_seconds
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

# Each setting below is a resource of its own, because the two queues name each other and because the provider waits about
# 25 seconds for each change of a queue: like this, all four are made at once while the functions are made.

resource "aws_sqs_queue_redrive_policy" "due" {
  queue_url = aws_sqs_queue.due.url

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = local.max_receive_count
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.due.arn]
  })
}

resource "aws_sqs_queue_policy" "tls_only" {
  for_each = {
    due          = aws_sqs_queue.due
    dead_letters = aws_sqs_queue.dead_letters
  }

  queue_url = each.value.url
  policy    = data.aws_iam_policy_document.tls_only[each.key].json
}

data "aws_iam_policy_document" "tls_only" {
  for_each = {
    due          = aws_sqs_queue.due.arn
    dead_letters = aws_sqs_queue.dead_letters.arn
  }

  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
