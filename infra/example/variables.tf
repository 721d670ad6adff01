# The variables that a deployment is likely to change. The module documents their ranges, and has more of them.

variable "region" {
  description = "AWS region to deploy to."
  type        = string
}

variable "name" {
  description = "Name of the deployment, the prefix of its resources."
  type        = string
  default     = "carillon"
}

variable "api_zip" {
  description = "Path of the api function's zip."
  type        = string
  default     = "../../target/lambda/api/bootstrap.zip"
}

variable "executor_zip" {
  description = "Path of the executor function's zip."
  type        = string
  default     = "../../target/lambda/executor/bootstrap.zip"
}

variable "function_architecture" {
  description = "Instruction set that the zips are built for: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "first_api_key_sha256" {
  description = "SHA-256 of the first API key, in hexadecimal. AWS never gets the key itself."
  type        = string
  default     = null
}

variable "outbound_allow_list" {
  description = "Targets with private addresses that jobs may call."
  type        = list(string)
  default     = []
}

variable "targets" {
  description = "AWS resources that jobs may use, by ARN; see the module."
  type = object({
    function_arns       = optional(list(string), [])
    topic_arns          = optional(list(string), [])
    queue_arns          = optional(list(string), [])
    drained_queue_arns  = optional(list(string), [])
    event_bus_arns      = optional(list(string), [])
    bucket_arns         = optional(list(string), [])
    email_identity_arns = optional(list(string), [])
    table_arns          = optional(list(string), [])
    cluster_arns        = optional(list(string), [])
    sms                 = optional(bool, false)
    parameter_arns      = optional(list(string), [])
    secret_arns         = optional(list(string), [])
    secret_key_arns     = optional(list(string), [])
    kms_key_arns        = optional(list(string), [])
  })
  default = {}
}

variable "executor_concurrency" {
  description = "Maximum number of executors that run at once, each with up to ten jobs."
  type        = number
  default     = 20
}

variable "executor_timeout_seconds" {
  description = "Timeout of the executor for one batch, in seconds."
  type        = number
  default     = 60
}

variable "delay_threshold_seconds" {
  description = "Jobs due within this time, in seconds, wait in SQS; later ones wait in EventBridge Scheduler first."
  type        = number
  default     = 900
}

variable "schedule_lead_seconds" {
  description = "Seconds before the due time at which EventBridge Scheduler sends the message."
  type        = number
  default     = 120
}

variable "alarm_topic_arn" {
  description = "SNS topic that is notified of alarms."
  type        = string
  default     = null
}

variable "log_filter" {
  description = "Log filter of both functions: a level, or directives."
  type        = string
  default     = "info"
}

variable "deletion_protection" {
  description = "Protects the table from deletion."
  type        = bool
  default     = true
}

variable "environment" {
  description = "Further environment variables of both functions."
  type        = map(string)
  default     = {}
}
