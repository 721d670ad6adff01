# --- The deployment -----------------------------------------------------------------------------------------------

variable "name" {
  description = "Name of the deployment: the prefix of every resource and the `service` dimension of every metric. 2 to 32 lower-case letters, digits and hyphens. Deployments in the same account and region need different names."
  type        = string
  default     = "carillon"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "The name takes 2 to 32 lower-case letters, digits and hyphens; it starts with a letter and ends with a letter or digit."
  }
}

variable "api_zip" {
  description = "Path of the api function's zip, with the executable `bootstrap` at its root."
  type        = string
  nullable    = false
}

variable "executor_zip" {
  description = "Path of the executor function's zip, with the executable `bootstrap` at its root."
  type        = string
  nullable    = false
}

variable "function_architecture" {
  description = "Instruction set that both zips are built for: `arm64` (cheaper for the same work) or `x86_64`."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.function_architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

# --- Callers and targets -----------------------------------------------------------------------------------------

variable "first_api_key_sha256" {
  description = "SHA-256 of the first API key, 64 lower-case hexadecimal digits. Only this hash is stored, so make the key from at least 128 random bits. The key has every scope on every product; use it to create narrower keys. Null: no such key; an existing one is removed."
  type        = string
  default     = null

  validation {
    condition     = var.first_api_key_sha256 == null || can(regex("^[0-9a-f]{64}$", var.first_api_key_sha256))
    error_message = "The hash is 64 lower-case hexadecimal digits: printf %s \"$key\" | sha256sum."
  }
}

variable "outbound_allow_list" {
  description = "Targets with private addresses that jobs may call: an address, a network in CIDR notation or a host name, each with an optional port (`10.1.0.0/16:443`). Empty: public addresses only."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for entry in var.outbound_allow_list : can(regex("^[^,\\s]+$", entry))])
    error_message = "An entry of the allow list has at least one character, and no comma or white space."
  }
}

variable "targets" {
  description = "AWS resources that jobs may use, by ARN; an ARN may contain `*`. Jobs send to `queue_arns`; subscriptions read and delete messages of `drained_queue_arns`; queries go to `cluster_arns` over the RDS Data API; `sms` allows text messages to any telephone number. `parameter_arns` (SSM) and `secret_arns` (Secrets Manager) hold the secrets that catalogs refer to and the credentials of the Data API; both functions read them. `secret_key_arns` are the customer managed KMS keys that encrypt these, and `kms_key_arns` those that encrypt the queues, topics, buckets and tables. A key is granted only through services of which a resource is listed here."
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
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for arn in flatten([for name, arns in var.targets : arns if name != "sms"]) : can(regex("^arn:[^:]+:[^:]+:[^:]*:[^:]*:.+$", arn))
    ])
    error_message = "A target is an ARN, such as arn:aws:sns:eu-west-1:123456789012:orders."
  }
}

variable "outbound_root_certificates" {
  description = "Root certificates in PEM that are trusted in addition to the public ones, for targets and mail servers. A function's environment has room for one or two. Empty: only the public ones."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.outbound_root_certificates == "" || can(regex("-----BEGIN CERTIFICATE-----", var.outbound_root_certificates))
    error_message = "The certificates are in PEM and contain -----BEGIN CERTIFICATE-----."
  }
}

variable "cors" {
  description = "Cross-origin access for browsers. Null: off. Lists of origins, methods and headers as in the Access-Control headers; `max_age_seconds` is the time that a browser may cache a preflight, 0 to 86,400."
  type = object({
    allow_origins   = list(string)
    allow_methods   = optional(list(string), ["GET", "POST", "PUT", "PATCH", "DELETE"])
    allow_headers   = optional(list(string), ["authorization", "content-type", "idempotency-key", "prefer", "if-match"])
    expose_headers  = optional(list(string), ["etag", "retry-after"])
    max_age_seconds = optional(number, 600)
  })
  default = null

  validation {
    condition     = var.cors == null || try(var.cors.max_age_seconds >= 0 && var.cors.max_age_seconds <= 86400, false)
    error_message = "max_age_seconds is 0 to 86,400."
  }
}

variable "domain" {
  description = "Custom domain of the API, with the ARN of an issued ACM certificate that covers it, in the same region. The module makes no DNS record: point yours at the output `domain_target`. Null: only the endpoint that AWS assigns."
  type = object({
    name            = string
    certificate_arn = string
  })
  default = null
}

variable "api_throttle" {
  description = "Request limit of the API over all callers: `rate` per second and `burst` at once, each at least 1. A request above the limit gets 429."
  type = object({
    rate  = number
    burst = number
  })
  default  = { rate = 200, burst = 400 }
  nullable = false

  validation {
    condition     = var.api_throttle.rate >= 1 && var.api_throttle.burst >= 1
    error_message = "Rate and burst are at least 1: 0 would refuse every request."
  }
}

# --- Size and timing ----------------------------------------------------------------------------------------------

variable "api_memory_mb" {
  description = "Memory of the api function in MB, 128 to 10,240. Its share of a CPU grows with it."
  type        = number
  default     = 256

  validation {
    condition     = var.api_memory_mb >= 128 && var.api_memory_mb <= 10240 && floor(var.api_memory_mb) == var.api_memory_mb
    error_message = "Memory is a whole number of MB from 128 to 10,240."
  }
}

variable "executor_memory_mb" {
  description = "Memory of the executor function in MB, 128 to 10,240. Its share of a CPU grows with it. Up to ten jobs run in one invocation."
  type        = number
  default     = 256

  validation {
    condition     = var.executor_memory_mb >= 128 && var.executor_memory_mb <= 10240 && floor(var.executor_memory_mb) == var.executor_memory_mb
    error_message = "Memory is a whole number of MB from 128 to 10,240."
  }
}

variable "executor_concurrency" {
  description = "Maximum number of executors that run at once, 2 to 1,000, each with up to ten jobs. They count towards the account's Lambda concurrency."
  type        = number
  default     = 20

  validation {
    condition     = var.executor_concurrency >= 2 && var.executor_concurrency <= 1000 && floor(var.executor_concurrency) == var.executor_concurrency
    error_message = "The maximum concurrency is a whole number from 2 to 1,000, as event source mappings require."
  }
}

variable "executor_timeout_seconds" {
  description = "Timeout of the executor for one batch, in seconds, 5 to 900. It also bounds the timeout of each job."
  type        = number
  default     = 60

  validation {
    condition     = var.executor_timeout_seconds >= 5 && var.executor_timeout_seconds <= 900 && floor(var.executor_timeout_seconds) == var.executor_timeout_seconds
    error_message = "The executor's timeout is a whole number of seconds from 5 to 900."
  }
}

variable "delay_threshold_seconds" {
  description = "Jobs due within this time, in seconds, wait in SQS; later ones wait in EventBridge Scheduler first. 1 to 900, the longest delay of SQS."
  type        = number
  default     = 900

  validation {
    condition     = var.delay_threshold_seconds >= 1 && var.delay_threshold_seconds <= 900 && floor(var.delay_threshold_seconds) == var.delay_threshold_seconds
    error_message = "The threshold is a whole number of seconds from 1 to 900."
  }
}

variable "schedule_lead_seconds" {
  description = "Seconds before the due time at which EventBridge Scheduler sends the message; SQS delays it for the rest. Scheduler is precise only to the minute, so a lead below 60 can make jobs late. 0 to `delay_threshold_seconds`, because with a longer lead a schedule could be in the past when it is created."
  type        = number
  default     = 120

  validation {
    condition     = var.schedule_lead_seconds >= 0 && var.schedule_lead_seconds <= var.delay_threshold_seconds && floor(var.schedule_lead_seconds) == var.schedule_lead_seconds
    error_message = "The lead is a whole number of seconds from 0 to delay_threshold_seconds."
  }
}

variable "run_retention_days" {
  description = "Days that a run stays in the history of its job after its end, 1 to 3650. DynamoDB deletes it a few days later."
  type        = number
  default     = 90

  validation {
    condition     = var.run_retention_days >= 1 && var.run_retention_days <= 3650 && floor(var.run_retention_days) == var.run_retention_days
    error_message = "Runs are kept for a whole number of days from 1 to 3650."
  }
}

variable "idempotency_hours" {
  description = "Hours for which an `Idempotency-Key` is remembered, 1 to 168. Requests with the same key in that time are executed once."
  type        = number
  default     = 24

  validation {
    condition     = var.idempotency_hours >= 1 && var.idempotency_hours <= 168 && floor(var.idempotency_hours) == var.idempotency_hours
    error_message = "Idempotency keys are kept for a whole number of hours from 1 to 168."
  }
}

# --- Operations ---------------------------------------------------------------------------------------------------

variable "alarm_topic_arn" {
  description = "SNS topic that is notified when an alarm starts and when it ends. Null: alarms change state without a notification."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that logs are kept: one of the periods of CloudWatch Logs, or 0 to keep them for ever."
  type        = number
  default     = 30

  validation {
    condition = contains(
      [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "The log retention in days is 0 (for ever), 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "log_filter" {
  description = "Log filter of both functions: a level (`error`, `warn`, `info`, `debug`, `trace`), or directives such as `info,carillon_executor=debug`."
  type        = string
  default     = "info"
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer managed KMS key for the table, the queues and the logs; sessions always have a key of their own. Its policy must delegate to the IAM policies of this account and allow logs.<region>.amazonaws.com to use the key. Null: keys that AWS owns, which cost nothing."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.", var.kms_key_arn))
    error_message = "The KMS key is the ARN of a key (…:key/id); IAM cannot grant permissions on an alias."
  }
}

variable "deletion_protection" {
  description = "Protects the table from deletion. With false, `terraform destroy` deletes every job."
  type        = bool
  default     = true
  nullable    = false
}

variable "environment" {
  description = "Further environment variables of both functions. Variables that the module sets take precedence. Do not put secrets here: everyone with permission to describe a function can read them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "max_waits" {
  description = "Callers that may wait for a job with `Prefer: wait` at the same time, 0 to 10000. Each holds an instance of the api function, and costs about $83 a million waits of 25 seconds. The others get their 202 at once."
  type        = number
  default     = 100

  validation {
    condition     = var.max_waits >= 0 && var.max_waits <= 10000 && floor(var.max_waits) == var.max_waits
    error_message = "The number of waits is a whole number from 0 to 10000."
  }
}
