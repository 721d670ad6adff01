# The queue of due fires, and the dead-letter queue of fires that failed for good.

locals {
  # Six times the function's timeout, as AWS advises: a message that waits for throttled executors is not delivered twice.
  visibility_timeout_seconds = 6 * var.executor_timeout_seconds

  retention_seconds = 14 * 24 * 3600 # the longest that SQS keeps a message

  # The redrive policy is for messages that the executor cannot handle: the function does not start, or the body crashes it each
  # time. The executor itself moves fires that fail to the dead-letter queue, after at most 101 attempts. Each attempt, each
  # outage of the table and each lease held elsewhere is also a receive, so the count is 1000, the maximum of SQS. It is lower
  # with a long timeout: a message that is received once in each visibility timeout must reach the count before its retention
  # ends, or it would be lost. Ten days of receives leave four days to find it in the dead-letter queue. With the longest
  # timeout, 900 seconds, the count is 160.
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

# Each setting below is a resource of its own, because the two queues refer to each other and because the provider waits about
# 25 seconds for each change of a queue: as resources, all four are created in parallel with the functions.

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
