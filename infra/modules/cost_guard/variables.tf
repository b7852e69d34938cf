variable "name" {
  description = "Prefix of names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "monthly_budget_usd" {
  description = "What a month may cost."
  type        = number
  default     = 450

  validation {
    condition     = var.monthly_budget_usd > 0 && var.monthly_budget_usd <= 450
    error_message = "monthly_budget_usd must lie between 1 and 450, which is what the lab may spend."
  }
}

variable "anomaly_usd" {
  description = "An unusual day is reported when it costs at least this much more than expected."
  type        = number
  default     = 10

  validation {
    condition     = var.anomaly_usd >= 1
    error_message = "anomaly_usd must be at least 1."
  }
}

variable "topic_arn" {
  description = "Topic that is told."
  type        = string

  validation {
    condition     = length(var.topic_arn) > 0
    error_message = "topic_arn must not be empty: a budget that tells nobody guards nothing."
  }
}

variable "tags" {
  description = "Extra tags."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(key, "aws:")])
    error_message = "Tag names that start with aws: are reserved."
  }
}
