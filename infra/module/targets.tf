# Permissions on the targets of jobs, from the variable `targets`; none by default. A job fails with FORBIDDEN if its target is
# not listed.

data "aws_iam_policy_document" "targets" {
  dynamic "statement" {
    for_each = { for sid, grant in local.target_grants : sid => grant if length(grant.resources) > 0 }
    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  # A key may be in any region: the condition limits the services that use it.
  dynamic "statement" {
    for_each = { for sid, grant in local.target_key_grants : sid => grant if length(var.targets.kms_key_arns) * length(grant.services) > 0 }
    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = var.targets.kms_key_arns

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = [for service in statement.value.services : "${service}.*.amazonaws.com"]
      }
    }
  }

  # A telephone number has no ARN, so this grants publishing to everything except topics.
  dynamic "statement" {
    for_each = var.targets.sms ? [true] : []
    content {
      sid           = "SendSms"
      actions       = ["sns:Publish"]
      not_resources = ["arn:${local.partition}:sns:*:*:*"]
    }
  }
}

# Secrets of jobs, and the keys with which the api verifies session tokens.
data "aws_iam_policy_document" "secrets" {
  dynamic "statement" {
    for_each = { for sid, grant in local.secret_grants : sid => grant if length(grant.resources) > 0 }
    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  dynamic "statement" {
    for_each = length(var.targets.secret_key_arns) * length(local.secret_services) > 0 ? [true] : []
    content {
      sid       = "DecryptSecrets"
      actions   = ["kms:Decrypt"]
      resources = var.targets.secret_key_arns

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = [for service in local.secret_services : "${service}.*.amazonaws.com"]
      }
    }
  }
}

locals {
  target_grants = {
    InvokeFunctions = { actions = ["lambda:InvokeFunction"], resources = var.targets.function_arns }
    PublishToTopics = { actions = ["sns:Publish"], resources = var.targets.topic_arns }
    SendToQueues    = { actions = ["sqs:SendMessage"], resources = var.targets.queue_arns }
    DrainQueues = {
      actions   = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
      resources = var.targets.drained_queue_arns
    }
    PutEvents  = { actions = ["events:PutEvents"], resources = var.targets.event_bus_arns }
    PutObjects = { actions = ["s3:PutObject"], resources = [for arn in var.targets.bucket_arns : "${arn}/*"] }
    SendEmail  = { actions = ["ses:SendEmail"], resources = var.targets.email_identity_arns }
    QueryTables = {
      actions   = ["dynamodb:PartiQLDelete", "dynamodb:PartiQLInsert", "dynamodb:PartiQLSelect", "dynamodb:PartiQLUpdate"]
      resources = flatten([for arn in var.targets.table_arns : [arn, "${arn}/index/*"]])
    }
    QueryClusters = { actions = ["rds-data:ExecuteStatement"], resources = var.targets.cluster_arns }
  }

  secret_grants = {
    ReadParameters = { actions = ["ssm:GetParameter"], resources = var.targets.parameter_arns }
    ReadSecrets    = { actions = ["secretsmanager:GetSecretValue"], resources = var.targets.secret_arns }
  }

  # KMS checks these permissions of the caller that sends, receives or puts.
  target_key_grants = {
    UseTargetKeys = {
      actions = ["kms:Decrypt", "kms:GenerateDataKey"]
      services = concat(
        length(var.targets.queue_arns) + length(var.targets.drained_queue_arns) > 0 ? ["sqs"] : [],
        length(var.targets.topic_arns) > 0 ? ["sns"] : [],
        length(var.targets.bucket_arns) > 0 ? ["s3"] : [],
      )
    }
    UseTableKeys = {
      actions = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
      ]
      services = length(var.targets.table_arns) > 0 ? ["dynamodb"] : []
    }
  }
  secret_services = concat(
    length(var.targets.parameter_arns) > 0 ? ["ssm"] : [],
    length(var.targets.secret_arns) > 0 ? ["secretsmanager"] : [],
  )
}
