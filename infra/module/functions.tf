# The two functions: api answers requests, executor runs due fires.

locals {
  functions = {
    api = {
      description     = "Serves the HTTP API"
      zip             = var.api_zip
      memory_mb       = var.api_memory_mb
      timeout_seconds = 30 # as long as API Gateway waits; `Prefer: wait` ends at 25
    }
    executor = {
      description     = "Runs due fires, records their outcomes and arms the next fires"
      zip             = var.executor_zip
      memory_mb       = var.executor_memory_mb
      timeout_seconds = var.executor_timeout_seconds
    }
  }

  # The contract with the functions' code: these variables take precedence over those of the caller.
  environment = merge(var.environment, {
    CARILLON_SERVICE                 = var.name
    CARILLON_LOG                     = var.log_filter
    CARILLON_TABLE                   = aws_dynamodb_table.carillon.name
    CARILLON_QUEUE_URL               = aws_sqs_queue.due.url
    CARILLON_QUEUE_ARN               = aws_sqs_queue.due.arn
    CARILLON_DEAD_LETTER_QUEUE_URL   = aws_sqs_queue.dead_letters.url
    CARILLON_DEAD_LETTER_QUEUE_ARN   = aws_sqs_queue.dead_letters.arn
    CARILLON_SCHEDULE_GROUP          = aws_scheduler_schedule_group.fires.name
    CARILLON_SCHEDULER_ROLE_ARN      = aws_iam_role.scheduler.arn
    CARILLON_DELAY_THRESHOLD_SECONDS = var.delay_threshold_seconds
    CARILLON_SCHEDULE_LEAD_SECONDS   = var.schedule_lead_seconds
    CARILLON_RUN_RETENTION_DAYS      = var.run_retention_days
    CARILLON_IDEMPOTENCY_HOURS       = var.idempotency_hours
    CARILLON_MAX_WAITS               = var.max_waits
    CARILLON_SEALING_KEY_ID          = aws_kms_key.sealing.arn
    CARILLON_ALLOW_LIST              = join(",", var.outbound_allow_list)
    CARILLON_ROOT_CERTIFICATES       = var.outbound_root_certificates
  })
}

resource "aws_lambda_function" "carillon" {
  #checkov:skip=CKV_AWS_115:The event source mapping limits the executor, and the throttle limits the api; reserved concurrency would take its share from the account even while idle.
  #checkov:skip=CKV_AWS_116:Both functions are invoked synchronously; messages that the executor cannot handle go to the dead-letter queue.
  #checkov:skip=CKV_AWS_117:Jobs call public addresses and AWS endpoints, and the functions do not listen; a VPC would only add the cost of a NAT gateway.
  #checkov:skip=CKV_AWS_173:The environment holds names and numbers. Secrets stay in SSM and Secrets Manager.
  #checkov:skip=CKV_AWS_272:The team that applies this module builds the zips; a signing profile belongs to its pipeline.
  for_each = local.functions

  function_name    = "${var.name}-${each.key}"
  description      = each.value.description
  role             = aws_iam_role.function[each.key].arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.function_architecture]
  filename         = each.value.zip
  source_code_hash = filebase64sha256(each.value.zip)
  memory_size      = each.value.memory_mb
  timeout          = each.value.timeout_seconds

  environment {
    variables = local.environment
  }

  logging_config {
    log_group  = aws_cloudwatch_log_group.function[each.key].name
    log_format = "JSON"
    # log_filter is the only filter: a second one here could drop log lines, and with them the metrics.
    application_log_level = "TRACE"
    # Leaves out the start and report lines of each invocation, most of the log. CloudWatch has the same figures as metrics.
    system_log_level = "WARN"
  }

  # Passes the trace of a caller on to the targets, and starts none: it would show only Lambda's own part.
  tracing_config {
    mode = "PassThrough"
  }

  depends_on = [aws_iam_role_policy.function] # else the first invocations run without permissions
}

resource "aws_lambda_event_source_mapping" "due" {
  event_source_arn        = aws_sqs_queue.due.arn
  function_name           = aws_lambda_function.carillon["executor"].arn
  function_response_types = ["ReportBatchItemFailures"]

  # Without a batching window, which would add to the lateness of every job. A batch holds the messages that are already due.
  batch_size                         = 10
  maximum_batching_window_in_seconds = 0

  scaling_config {
    maximum_concurrency = var.executor_concurrency
  }
}
