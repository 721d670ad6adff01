# The two functions: api answers requests, executor runs due fires.

locals {
  functions = {
    api = {
      description     = "Takes jobs over HTTP and answers for them"
      zip             = var.api_zip
      memory_mb       = var.api_memory_mb
      timeout_seconds = 30 # as long as API Gateway waits; `Prefer: wait` ends at 25
    }
    executor = {
      description     = "Runs due fires, records their outcome and arms the next"
      zip             = var.executor_zip
      memory_mb       = var.executor_memory_mb
      timeout_seconds = var.executor_timeout_seconds
    }
  }

  # The contract with the functions' code. Whatever the caller adds cannot replace a part of it.
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
    CARILLON_SEALING_KEY_ID          = aws_kms_key.sealing.arn
    CARILLON_ALLOW_LIST              = join(",", var.outbound_allow_list)
    CARILLON_ROOT_CERTIFICATES       = var.outbound_root_certificates
  })
}

resource "aws_lambda_function" "carillon" {
  #checkov:skip=CKV_AWS_115:The executor is bounded by its event source mapping and the api by its throttle; reserved concurrency would take that share from the account even while idle.
  #checkov:skip=CKV_AWS_116:Neither function is invoked asynchronously; what the executor cannot handle goes to the queue's dead-letter queue.
  #checkov:skip=CKV_AWS_117:Jobs call public addresses and AWS's own endpoints; a VPC would add a NAT gateway's cost and protect nothing that is listening.
  #checkov:skip=CKV_AWS_173:The environment holds names and numbers. Secrets are read from where they are kept.
  #checkov:skip=CKV_AWS_272:The zips are built by the team that applies this; a signing profile belongs to its pipeline.
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
    # log_filter decides what is written; a second filter here could only hide it, and the metrics with it.
    application_log_level = "TRACE"
    # A start and a report line for each invocation would be most of the log. CloudWatch has the figures as metrics.
    system_log_level = "WARN"
  }

  # A trace that a caller began is passed on to the targets; none is begun here, where only Lambda's own part would show.
  tracing_config {
    mode = "PassThrough"
  }

  depends_on = [aws_iam_role_policy.function] # or the first invocations run without permissions
}

resource "aws_lambda_event_source_mapping" "due" {
  event_source_arn        = aws_sqs_queue.due.arn
  function_name           = aws_lambda_function.carillon["executor"].arn
  function_response_types = ["ReportBatchItemFailures"]

  # No batching window: it would be added to every job's lateness. Without one a batch is whatever is due already.
  batch_size                         = 10
  maximum_batching_window_in_seconds = 0

  scaling_config {
    maximum_concurrency = var.executor_concurrency
  }
}
