# Timers of fires that are due beyond the delay threshold. The functions create and delete the schedules, one for each fire.
# This file has their group and the role with which EventBridge Scheduler sends messages.

resource "aws_scheduler_schedule_group" "fires" {
  name = var.name
}

locals {
  schedules = "arn:${local.partition}:scheduler:${local.region}:${local.account_id}:schedule/${aws_scheduler_schedule_group.fires.name}/*"
}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-scheduler"
  description        = "EventBridge Scheduler delivers due fires of ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.scheduler_trust.json
}

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    # The source is the group, because AWS advises against single schedules here.
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_scheduler_schedule_group.fires.arn]
    }
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "deliver"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

data "aws_iam_policy_document" "scheduler" {
  source_policy_documents = [data.aws_iam_policy_document.queue_key.json]

  statement {
    sid       = "Deliver"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.due.arn, aws_sqs_queue.dead_letters.arn] # the second for undeliverable messages
  }
}
