# One deployment of Carillon. Copy this folder, add a backend for the Terraform state and adapt the values. Then:
#
#   key="car_$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')"; echo "$key"   # keep it: AWS stores only its hash
#   terraform init
#   terraform apply -var region=eu-west-1 -var first_api_key_sha256="$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)"

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { service = var.name }
  }
}

module "carillon" {
  source = "../module"

  name                  = var.name
  api_zip               = var.api_zip
  executor_zip          = var.executor_zip
  function_architecture = var.function_architecture

  first_api_key_sha256 = var.first_api_key_sha256
  targets              = var.targets
  outbound_allow_list  = var.outbound_allow_list

  executor_concurrency     = var.executor_concurrency
  executor_timeout_seconds = var.executor_timeout_seconds
  delay_threshold_seconds  = var.delay_threshold_seconds
  schedule_lead_seconds    = var.schedule_lead_seconds

  alarm_topic_arn     = var.alarm_topic_arn
  log_filter          = var.log_filter
  deletion_protection = var.deletion_protection
  environment         = var.environment
}
