# The HTTP API in front of the api function. The function gets every path: it does the routing and authenticates each caller.

resource "aws_apigatewayv2_api" "carillon" {
  name          = var.name
  description   = "Carillon, the job scheduler"
  protocol_type = "HTTP"

  dynamic "cors_configuration" {
    for_each = var.cors[*]
    content {
      allow_origins  = cors_configuration.value.allow_origins
      allow_methods  = cors_configuration.value.allow_methods
      allow_headers  = cors_configuration.value.allow_headers
      expose_headers = cors_configuration.value.expose_headers
      max_age        = cors_configuration.value.max_age_seconds
    }
  }
}

resource "aws_apigatewayv2_integration" "api" {
  api_id                 = aws_apigatewayv2_api.carillon.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.carillon["api"].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000 # the maximum of an HTTP API
}

resource "aws_apigatewayv2_route" "default" {
  #checkov:skip=CKV_AWS_309:The function authenticates by API keys, which API Gateway cannot check for an HTTP API, and by JWTs; its answers have the error format of the API.
  api_id    = aws_apigatewayv2_api.carillon.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.api.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.carillon.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.api_throttle.rate
    throttling_burst_limit = var.api_throttle.burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api_access.arn
    format          = jsonencode(local.access_log)
  }
}

locals {
  # Without headers and query strings, because either may hold a token.
  access_log = {
    at                     = "$context.requestTimeEpoch"
    request_id             = "$context.requestId"
    source_ip              = "$context.identity.sourceIp"
    user_agent             = "$context.identity.userAgent"
    method                 = "$context.httpMethod"
    path                   = "$context.path"
    status                 = "$context.status"
    response_bytes         = "$context.responseLength"
    duration_ms            = "$context.responseLatency"
    function_duration_ms   = "$context.integrationLatency"
    function_error         = "$context.integrationErrorMessage"
    gateway_error          = "$context.error.message"
    gateway_error_response = "$context.error.responseType"
  }
}

resource "aws_lambda_permission" "api" {
  statement_id  = "http-api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.carillon["api"].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.carillon.execution_arn}/*/$default"
}

# --- Custom domain ------------------------------------------------------------------------------------------------

resource "aws_apigatewayv2_domain_name" "carillon" {
  for_each = { for domain in var.domain[*] : domain.name => domain }

  domain_name = each.key

  domain_name_configuration {
    certificate_arn = each.value.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "carillon" {
  for_each = aws_apigatewayv2_domain_name.carillon

  api_id      = aws_apigatewayv2_api.carillon.id
  domain_name = each.value.id
  stage       = aws_apigatewayv2_stage.default.id
}
