# Logs, alarms and the dashboard.
#
# The functions write their metrics as log lines in the embedded metric format, which CloudWatch turns into metrics without a
# request or a permission. The namespace is Carillon; the dimension is service, the name of the deployment:
#
#   scheduled     count    jobs accepted
#   attempts      count    attempts started, retries included
#   lateness_ms   ms       from a fire's due time to the start of its first attempt
#   dispatch_ms   ms       from the start of an attempt to its end
#   dead_letters  count    fires moved to the dead-letter queue
#   outcomes      count    fires ended; further dimensions: type (of the job's event) and outcome (completed, failed)

# --- Logs. The groups exist before their writers: AWS would create missing ones, and keep their logs for ever. ----

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_338:Operational logs, without payloads and secrets. The table keeps the history of each job; log_retention_days can extend the retention.
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "api_access" {
  #checkov:skip=CKV_AWS_338:Operational logs, as above.
  # Groups under /aws/vendedlogs/ take no room in the account's log resource policy, which AWS limits in size.
  name              = "/aws/vendedlogs/${var.name}-api-access"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# --- Alarms -------------------------------------------------------------------------------------------------------

locals {
  alarms = merge(
    {
      dead-letters = {
        description = "Fires failed for good and are in the dead-letter queue. Read their reason, fix the cause and redrive them."
        namespace   = "AWS/SQS"
        metric      = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = aws_sqs_queue.dead_letters.name }
        statistic   = "Maximum"
        threshold   = 0
        minutes     = 1
        periods     = 1
      }
      oldest-message = {
        description = "Due fires are not consumed: the executor is down, or needs more concurrency."
        namespace   = "AWS/SQS"
        metric      = "ApproximateAgeOfOldestMessage"
        dimensions  = { QueueName = aws_sqs_queue.due.name }
        statistic   = "Maximum"
        # The age counts from the sending, so it includes a delay of up to 900 seconds. One failed receive is tolerated.
        threshold = 900 + local.visibility_timeout_seconds
        minutes   = 1
        periods   = 3
      }
      late-dispatch = {
        description = "More than one fire in a hundred starts over a minute late: the executor needs more concurrency."
        namespace   = "Carillon"
        metric      = "lateness_ms"
        dimensions  = { service = var.name }
        statistic   = "p99"
        threshold   = 60000
        minutes     = 5
        periods     = 3
      }
      api-5xx = {
        description = "Requests to the API fail: the access log has the errors of the gateway, the log of the api function its own."
        namespace   = "AWS/ApiGateway"
        metric      = "5xx"
        dimensions  = { ApiId = aws_apigatewayv2_api.carillon.id }
        statistic   = "Sum"
        threshold   = 5
        minutes     = 5
        periods     = 1
      }
    },
    {
      for function in keys(local.functions) : "${function}-errors" => {
        description = "Invocations of the ${function} function crashed or timed out."
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        dimensions  = { FunctionName = aws_lambda_function.carillon[function].function_name }
        statistic   = "Sum"
        threshold   = 0
        minutes     = 5
        periods     = 1
      }
    },
    {
      for function in keys(local.functions) : "${function}-throttles" => {
        description = "Invocations of the ${function} function were throttled: the account's Lambda concurrency is used up."
        namespace   = "AWS/Lambda"
        metric      = "Throttles"
        dimensions  = { FunctionName = aws_lambda_function.carillon[function].function_name }
        statistic   = "Sum"
        threshold   = 0
        minutes     = 5
        periods     = 1
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "carillon" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = each.value.minutes * 60
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching" # an idle service reports nothing
  alarm_actions       = var.alarm_topic_arn[*]
  ok_actions          = var.alarm_topic_arn[*]
}

# --- Dashboard: three charts in a row -----------------------------------------------------------------------------

locals {
  charts = [
    {
      title = "Jobs"
      stat  = "Sum"
      metrics = [
        ["Carillon", "scheduled", "service", var.name],
        ["Carillon", "attempts", "service", var.name],
        ["Carillon", "dead_letters", "service", var.name],
      ]
    },
    {
      title = "Outcomes by type"
      stat  = "Sum"
      metrics = [
        [{ expression = "SEARCH('{Carillon,outcome,service,type} MetricName=\"outcomes\" service=\"${var.name}\"', 'Sum')" }],
      ]
    },
    {
      title = "Lateness of dispatch (ms)"
      stat  = "p99"
      metrics = [
        ["Carillon", "lateness_ms", "service", var.name, { stat = "p50", label = "p50" }],
        ["Carillon", "lateness_ms", "service", var.name, { stat = "p99", label = "p99" }],
      ]
    },
    {
      title = "Duration of an attempt (ms)"
      stat  = "p99"
      metrics = [
        ["Carillon", "dispatch_ms", "service", var.name, { stat = "p50", label = "p50" }],
        ["Carillon", "dispatch_ms", "service", var.name, { stat = "p99", label = "p99" }],
      ]
    },
    {
      title = "Due fires in the queue"
      stat  = "Maximum"
      metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.due.name, { label = "waiting for an executor" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", aws_sqs_queue.due.name, { label = "running or backing off" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesDelayed", "QueueName", aws_sqs_queue.due.name, { label = "not yet due" }],
      ]
    },
    {
      title = "Dead letters"
      stat  = "Maximum"
      metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.dead_letters.name, { label = "waiting" }],
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", aws_sqs_queue.dead_letters.name, { label = "age of the oldest (s)", yAxis = "right" }],
      ]
    },
    {
      title = "API requests"
      stat  = "Sum"
      metrics = [
        ["AWS/ApiGateway", "Count", "ApiId", aws_apigatewayv2_api.carillon.id],
        ["AWS/ApiGateway", "4xx", "ApiId", aws_apigatewayv2_api.carillon.id],
        ["AWS/ApiGateway", "5xx", "ApiId", aws_apigatewayv2_api.carillon.id],
      ]
    },
    {
      title = "API latency (ms)"
      stat  = "p99"
      metrics = [
        ["AWS/ApiGateway", "Latency", "ApiId", aws_apigatewayv2_api.carillon.id, { stat = "p50", label = "p50" }],
        ["AWS/ApiGateway", "Latency", "ApiId", aws_apigatewayv2_api.carillon.id, { stat = "p99", label = "p99" }],
      ]
    },
    {
      title = "Functions"
      stat  = "Sum"
      metrics = flatten([
        for name, function in aws_lambda_function.carillon : [
          for metric, stat in { Errors = "Sum", Throttles = "Sum", ConcurrentExecutions = "Maximum" } :
          { row = ["AWS/Lambda", metric, "FunctionName", function.function_name, { stat = stat, label = "${name} ${metric}" }] }
        ]
      ])[*].row
    },
    {
      title = "Table: units consumed"
      stat  = "Sum"
      metrics = [
        ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", aws_dynamodb_table.carillon.name],
        ["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", aws_dynamodb_table.carillon.name],
      ]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "carillon" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for place, chart in local.charts : {
        type   = "metric"
        x      = 8 * (place % 3)
        y      = 6 * floor(place / 3)
        width  = 8
        height = 6
        properties = {
          title   = chart.title
          region  = local.region
          stat    = chart.stat
          period  = 60
          metrics = chart.metrics
        }
      }
    ]
  })
}
