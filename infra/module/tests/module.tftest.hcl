# Plans with a mocked provider, which needs no account and no network. Run `terraform test` in the module.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  api_zip      = "versions.tf" # any file that exists
  executor_zip = "versions.tf"
}

run "the_defaults_are_a_production_setup" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.carillon.deletion_protection_enabled && aws_dynamodb_table.carillon.point_in_time_recovery[0].enabled
    error_message = "The table can be deleted, or cannot be restored."
  }

  assert {
    condition     = length(aws_apigatewayv2_api.carillon.cors_configuration) == 0
    error_message = "CORS is on by default."
  }

  assert {
    condition     = length(aws_dynamodb_table_item.first_api_key) == 0
    error_message = "A key is created without a hash."
  }

  assert {
    condition     = aws_kms_key.sealing.enable_key_rotation && aws_kms_key.sealing.deletion_window_in_days == 30
    error_message = "The key of the sessions is not rotated, or its deletion does not wait for 30 days."
  }

  assert {
    condition     = local.visibility_timeout_seconds == 360 && local.max_receive_count == 1000
    error_message = "The visibility timeout is not six times the executor's timeout, or the receive count is not 1000, the maximum of SQS."
  }
}

run "the_longest_timeout_leaves_room_for_every_retry_and_for_the_dead_letter_queue" {
  command = plan

  variables {
    executor_timeout_seconds = 900
  }

  assert {
    condition     = local.max_receive_count > 101
    error_message = "A job of 100 retries could reach the redrive policy."
  }

  assert {
    condition     = local.max_receive_count * local.visibility_timeout_seconds < local.retention_seconds
    error_message = "A message could expire before the redrive policy takes it."
  }
}

run "another_key_is_another_item" {
  command = plan

  variables {
    first_api_key_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  }

  assert {
    condition     = keys(aws_dynamodb_table_item.first_api_key) == [var.first_api_key_sha256]
    error_message = "The item is not keyed by the hash."
  }
}

run "the_variables_of_the_module_take_precedence_over_the_callers" {
  command = plan

  variables {
    environment = { CARILLON_SERVICE = "another", RUST_BACKTRACE = "1" }
  }

  assert {
    condition     = local.environment.CARILLON_SERVICE == "carillon" && local.environment.RUST_BACKTRACE == "1"
    error_message = "The environment is not that of the module with the caller's additions."
  }
}

run "sessions_are_sealed_by_the_api_alone_and_opened_by_both_functions" {
  command = plan

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.sealing_key.statement :
      length(statement.condition) == 1 && tolist(one(statement.condition).values) == tolist([var.name])
      if statement.sid != "Administer"
    ])
    error_message = "The key can be used without naming its deployment."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.sealing_key.statement :
      length(setintersection(statement.actions, ["kms:*", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"])) == 0
      if statement.sid == "Administer"
    ])
    error_message = "Administrators of the key can use it."
  }

  assert {
    condition = contains(flatten(data.aws_iam_policy_document.api.statement[*].actions), "kms:GenerateDataKey") && !contains(
      flatten(data.aws_iam_policy_document.executor.statement[*].actions), "kms:GenerateDataKey"
    )
    error_message = "The api cannot seal sessions, or the executor can."
  }
}

run "jobs_have_no_access_to_the_account_by_default" {
  command = plan

  assert {
    condition     = length(data.aws_iam_policy_document.targets.statement) == 0 && length(data.aws_iam_policy_document.secrets.statement) == 0
    error_message = "A target is granted that is not listed."
  }
}

run "only_listed_targets_are_granted" {
  command = plan

  variables {
    targets = {
      bucket_arns = ["arn:aws:s3:::files"]
      secret_arns = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-*"]
      sms         = true
    }
  }

  assert {
    condition     = join(",", data.aws_iam_policy_document.targets.statement[*].sid) == "PutObjects,SendSms"
    error_message = "The grants are not those for the bucket and for text messages."
  }

  assert {
    condition     = tolist(data.aws_iam_policy_document.targets.statement[0].resources) == tolist(["arn:aws:s3:::files/*"])
    error_message = "The granted objects are not those of the bucket."
  }

  assert {
    condition     = join(",", data.aws_iam_policy_document.secrets.statement[*].sid) == "ReadSecrets"
    error_message = "The grants are not those for the secret."
  }
}

run "a_customer_managed_key_is_granted_only_through_services_with_a_listed_resource" {
  command = plan

  variables {
    targets = {
      drained_queue_arns = ["arn:aws:sqs:eu-west-1:123456789012:orders"]
      bucket_arns        = ["arn:aws:s3:::files"]
      table_arns         = ["arn:aws:dynamodb:eu-west-1:123456789012:table/orders"]
      parameter_arns     = ["arn:aws:ssm:eu-west-1:123456789012:parameter/shop/*"]
      kms_key_arns       = ["arn:aws:kms:eu-west-1:123456789012:key/targets"]
      secret_key_arns    = ["arn:aws:kms:eu-west-1:123456789012:key/secrets"]
    }
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.targets.statement :
      statement.sid => [statement.actions, statement.resources, one(statement.condition).variable, one(statement.condition).values]
      if strcontains(statement.sid, "Keys")
      } == {
      UseTargetKeys = [
        toset(["kms:Decrypt", "kms:GenerateDataKey"]), toset(["arn:aws:kms:eu-west-1:123456789012:key/targets"]),
        "kms:ViaService", tolist(["sqs.*.amazonaws.com", "s3.*.amazonaws.com"]),
      ]
      UseTableKeys = [
        toset([
          "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
          "kms:ReEncryptFrom", "kms:ReEncryptTo",
        ]),
        toset(["arn:aws:kms:eu-west-1:123456789012:key/targets"]), "kms:ViaService", tolist(["dynamodb.*.amazonaws.com"]),
      ]
    }
    error_message = "The key of the targets is not granted for exactly the queue, the bucket and the table."
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.secrets.statement :
      [statement.actions, statement.resources, one(statement.condition).values] if statement.sid == "DecryptSecrets"
      ] == [
      [toset(["kms:Decrypt"]), toset(["arn:aws:kms:eu-west-1:123456789012:key/secrets"]), tolist(["ssm.*.amazonaws.com"])],
    ]
    error_message = "The key of the secrets is not granted for exactly the parameters."
  }
}

run "a_key_without_a_resource_that_needs_it_is_not_granted" {
  command = plan

  variables {
    targets = {
      function_arns   = ["arn:aws:lambda:eu-west-1:123456789012:function:resize"]
      kms_key_arns    = ["arn:aws:kms:eu-west-1:123456789012:key/targets"]
      secret_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/secrets"]
    }
  }

  assert {
    condition     = join(",", data.aws_iam_policy_document.targets.statement[*].sid) == "InvokeFunctions" && length(data.aws_iam_policy_document.secrets.statement) == 0
    error_message = "A key is granted without a resource that needs it."
  }
}

run "values_out_of_range_are_refused" {
  command = plan

  variables {
    name                     = "Carillon"
    function_architecture    = "riscv"
    first_api_key_sha256     = "the key itself"
    outbound_allow_list      = ["10.0.0.0/8, 10.1.0.0/16"]
    targets                  = { queue_arns = ["https://sqs.eu-west-1.amazonaws.com/123456789012/orders"] }
    cors                     = { allow_origins = ["*"], max_age_seconds = 86401 }
    api_throttle             = { rate = 0, burst = 0 }
    api_memory_mb            = 64
    executor_memory_mb       = 10241
    executor_concurrency     = 1
    executor_timeout_seconds = 901
    delay_threshold_seconds  = 901
    run_retention_days       = 0
    idempotency_hours        = 169
    max_waits                = 10001
    log_retention_days       = 8
    kms_key_arn              = "alias/carillon"
  }

  expect_failures = [
    var.name,
    var.function_architecture,
    var.first_api_key_sha256,
    var.outbound_allow_list,
    var.targets,
    var.cors,
    var.api_throttle,
    var.api_memory_mb,
    var.executor_memory_mb,
    var.executor_concurrency,
    var.executor_timeout_seconds,
    var.delay_threshold_seconds,
    var.run_retention_days,
    var.idempotency_hours,
    var.max_waits,
    var.log_retention_days,
    var.kms_key_arn,
  ]
}

run "a_lead_longer_than_the_threshold_is_refused" {
  command = plan

  variables {
    delay_threshold_seconds = 60
    schedule_lead_seconds   = 61
  }

  expect_failures = [var.schedule_lead_seconds]
}
