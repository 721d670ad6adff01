# What one deployment is likely to change. The ranges and the rest of the variables are the module's.

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
  description = "SHA-256 of the first API key, in hexadecimal. The key itself stays with you."
  type        = string
  default     = null
}

variable "outbound_allow_list" {
  description = "Targets that jobs may call although their addresses are not public."
  type        = list(string)
  default     = []
}

variable "targets" {
  description = "What the executor may use on behalf of jobs, by ARN; see the module."
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
  description = "Most executors that run at once, each with up to ten jobs."
  type        = number
  default     = 20
}

variable "executor_timeout_seconds" {
  description = "Time the executor has for one batch, in seconds."
  type        = number
  default     = 60
}

variable "delay_threshold_seconds" {
  description = "Jobs due within this many seconds wait in SQS alone."
  type        = number
  default     = 900
}

variable "schedule_lead_seconds" {
  description = "How many seconds before the due time EventBridge Scheduler fires."
  type        = number
  default     = 120
}

variable "alarm_topic_arn" {
  description = "SNS topic that is told of alarms."
  type        = string
  default     = null
}

variable "log_filter" {
  description = "What the functions log: a level, or directives."
  type        = string
  default     = "info"
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted."
  type        = bool
  default     = true
}

variable "environment" {
  description = "Further environment variables of both functions."
  type        = map(string)
  default     = {}
}
