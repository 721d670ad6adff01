output "api_endpoint" {
  description = "Address of the API, without a trailing slash."
  value       = aws_apigatewayv2_api.carillon.api_endpoint
}

output "domain_target" {
  description = "Target of the custom domain's DNS record: host name and hosted zone for an alias record. Null without a domain."
  value = one([
    for domain in aws_apigatewayv2_domain_name.carillon : {
      host_name      = domain.domain_name_configuration[0].target_domain_name
      hosted_zone_id = domain.domain_name_configuration[0].hosted_zone_id
    }
  ])
}

output "table_name" {
  description = "Name of the DynamoDB table."
  value       = aws_dynamodb_table.carillon.name
}

output "sealing_key_arn" {
  description = "ARN of the KMS key that wraps the keys of sealed sessions."
  value       = aws_kms_key.sealing.arn
}

output "queue_url" {
  description = "URL of the queue of due fires."
  value       = aws_sqs_queue.due.url
}

output "queue_arn" {
  description = "ARN of the queue of due fires: the destination of a redrive."
  value       = aws_sqs_queue.due.arn
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.url
}

output "dead_letter_queue_arn" {
  description = "ARN of the dead-letter queue: the source of a redrive."
  value       = aws_sqs_queue.dead_letters.arn
}

output "schedule_group" {
  description = "Name of the EventBridge Scheduler group that holds the timers."
  value       = aws_scheduler_schedule_group.fires.name
}

output "scheduler_role_arn" {
  description = "ARN of the role with which EventBridge Scheduler sends messages."
  value       = aws_iam_role.scheduler.arn
}

output "api_function_name" {
  description = "Name of the api function."
  value       = aws_lambda_function.carillon["api"].function_name
}

output "executor_function_name" {
  description = "Name of the executor function."
  value       = aws_lambda_function.carillon["executor"].function_name
}

output "executor_role_name" {
  description = "Name of the executor's role. Attach policies to it for targets that the variable `targets` does not cover."
  value       = aws_iam_role.function["executor"].name
}

output "api_log_group" {
  description = "Log group of the api function."
  value       = aws_cloudwatch_log_group.function["api"].name
}

output "executor_log_group" {
  description = "Log group of the executor function."
  value       = aws_cloudwatch_log_group.function["executor"].name
}

output "access_log_group" {
  description = "Log group of the API's access log."
  value       = aws_cloudwatch_log_group.api_access.name
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.carillon.dashboard_name
}
