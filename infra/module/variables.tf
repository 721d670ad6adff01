# --- What is deployed ---------------------------------------------------------------------------------------------

variable "name" {
  description = "Name of this deployment: the prefix of every resource, and the `service` dimension of every metric. 2 to 32 lower-case letters, digits and hyphens. Two deployments in one account and region need two names."
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

# --- Who may call it, and what it may call ------------------------------------------------------------------------

variable "first_api_key_sha256" {
  description = "SHA-256 of the first API key, 64 lower-case hexadecimal digits. Only this hash is stored, so make the key from at least 128 random bits. The key has every scope on every product; use it to create narrower ones. Null removes it again."
  type        = string
  default     = null

  validation {
    condition     = var.first_api_key_sha256 == null || can(regex("^[0-9a-f]{64}$", var.first_api_key_sha256))
    error_message = "The hash is 64 lower-case hexadecimal digits: printf %s \"$key\" | sha256sum."
  }
}

variable "outbound_allow_list" {
  description = "Targets that jobs may call although their addresses are not public: an address, a network in CIDR notation or a host name, each with an optional port (`10.1.0.0/16:443`). Empty: public addresses only."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for entry in var.outbound_allow_list : can(regex("^[^,\\s]+$", entry))])
    error_message = "An entry of the allow list is not empty and holds no comma and no white space."
  }
}

variable "targets" {
  description = "What the executor may use on behalf of jobs, by ARN; an ARN may hold `*`. `queue_arns` are sent to, `drained_queue_arns` are read and emptied by subscriptions, `cluster_arns` are asked over the RDS Data API, `sms` allows text messages to any telephone. `parameter_arns` (SSM) and `secret_arns` (Secrets Manager) hold what catalogs refer to, and what the Data API logs in with; both functions read them. `secret_key_arns` are the customer managed KMS keys that these are encrypted with, `kms_key_arns` those of the queues, topics, buckets and tables; a key is used through the services alone that are named beside it."
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
    error_message = "Every target is named by its ARN, such as arn:aws:sns:eu-west-1:123456789012:orders."
  }
}

variable "outbound_root_certificates" {
  description = "Certificates in PEM that targets and mail servers are trusted by besides the public ones. A function's environment has room for one or two. Empty: the public ones alone."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.outbound_root_certificates == "" || can(regex("-----BEGIN CERTIFICATE-----", var.outbound_root_certificates))
    error_message = "The certificates are in PEM: they begin with -----BEGIN CERTIFICATE-----."
  }
}

variable "cors" {
  description = "Cross-origin access for browsers. Null: off. Lists of origins, methods and headers as in the Access-Control headers; `max_age_seconds` is how long a browser may cache a preflight (0 to 86,400)."
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
  description = "Custom domain of the API, with the ARN of an issued ACM certificate of the same region that covers it. Null: the endpoint that AWS names. The DNS record is the caller's: point it at the output `domain_target`."
  type = object({
    name            = string
    certificate_arn = string
  })
  default = null
}

variable "api_throttle" {
  description = "Most requests the API takes, over all callers: `rate` a second (at least 1), after a `burst` at once (at least 1). Beyond it: 429."
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

# --- Size and pace ------------------------------------------------------------------------------------------------

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
  description = "Memory of the executor function in MB, 128 to 10,240. Its share of a CPU grows with it; ten jobs share it."
  type        = number
  default     = 256

  validation {
    condition     = var.executor_memory_mb >= 128 && var.executor_memory_mb <= 10240 && floor(var.executor_memory_mb) == var.executor_memory_mb
    error_message = "Memory is a whole number of MB from 128 to 10,240."
  }
}

variable "executor_concurrency" {
  description = "Most executors that run at once, 2 to 1,000, each with up to ten jobs. It is taken from the account's Lambda concurrency."
  type        = number
  default     = 20

  validation {
    condition     = var.executor_concurrency >= 2 && var.executor_concurrency <= 1000 && floor(var.executor_concurrency) == var.executor_concurrency
    error_message = "The event source mapping takes a maximum concurrency from 2 to 1,000."
  }
}

variable "executor_timeout_seconds" {
  description = "Time the executor has for one batch, in seconds, 5 to 900. No job's own timeout can be longer."
  type        = number
  default     = 60

  validation {
    condition     = var.executor_timeout_seconds >= 5 && var.executor_timeout_seconds <= 900 && floor(var.executor_timeout_seconds) == var.executor_timeout_seconds
    error_message = "The executor's timeout is a whole number of seconds from 5 to 900."
  }
}

variable "delay_threshold_seconds" {
  description = "Jobs due within this many seconds wait in SQS alone, later ones in EventBridge Scheduler first. 1 to 900, the longest delay SQS knows."
  type        = number
  default     = 900

  validation {
    condition     = var.delay_threshold_seconds >= 1 && var.delay_threshold_seconds <= 900 && floor(var.delay_threshold_seconds) == var.delay_threshold_seconds
    error_message = "The threshold is a whole number of seconds from 1 to 900."
  }
}

variable "schedule_lead_seconds" {
  description = "How many seconds before the due time EventBridge Scheduler fires; SQS waits out the rest. Scheduler promises only the minute, so below 60 jobs can be late. At most `delay_threshold_seconds`, or the schedule's time could already be past when it is made."
  type        = number
  default     = 120

  validation {
    condition     = var.schedule_lead_seconds >= 0 && var.schedule_lead_seconds <= var.delay_threshold_seconds && floor(var.schedule_lead_seconds) == var.schedule_lead_seconds
    error_message = "The lead is a whole number of seconds from 0 to delay_threshold_seconds."
  }
}

variable "run_retention_days" {
  description = "Days after its end that a run stays in the history of its job: 1 to 3650. DynamoDB deletes it within some days after that."
  type        = number
  default     = 90

  validation {
    condition     = var.run_retention_days >= 1 && var.run_retention_days <= 3650 && floor(var.run_retention_days) == var.run_retention_days
    error_message = "Runs are kept for a whole number of days from 1 to 3650."
  }
}

variable "idempotency_hours" {
  description = "Hours that the name a caller gave a request (`Idempotency-Key`) stands: 1 to 168. A request of that name is carried out once in that time."
  type        = number
  default     = 24

  validation {
    condition     = var.idempotency_hours >= 1 && var.idempotency_hours <= 168 && floor(var.idempotency_hours) == var.idempotency_hours
    error_message = "Names are kept for a whole number of hours from 1 to 168."
  }
}

# --- Operations ---------------------------------------------------------------------------------------------------

variable "alarm_topic_arn" {
  description = "SNS topic that is told when an alarm starts and when it ends. Null: alarms change state and tell nobody."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that logs are kept: one of the periods CloudWatch Logs knows, or 0 for ever."
  type        = number
  default     = 30

  validation {
    condition = contains(
      [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "CloudWatch Logs keeps for 0 (ever), 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "log_filter" {
  description = "What the functions log: a level (`error`, `warn`, `info`, `debug`, `trace`), or directives such as `info,carillon_executor=debug`."
  type        = string
  default     = "info"
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer managed KMS key for the table, the queues and the logs (sessions are sealed with a key of their own in any case). Its policy must let this account's IAM policies decide, and let logs.<region>.amazonaws.com use it. Null: keys that AWS owns, which cost nothing."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.", var.kms_key_arn))
    error_message = "The ARN of a key (…:key/id): permissions cannot be given on an alias."
  }
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted. With false, `terraform destroy` takes every job along."
  type        = bool
  default     = true
  nullable    = false
}

variable "environment" {
  description = "Further environment variables of both functions. They cannot replace one that this module sets. Not for secrets: whoever may describe a function reads them."
  type        = map(string)
  default     = {}
  nullable    = false
}
