variable "name" {
  description = "Prefix of names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "namespace" {
  description = "CloudWatch name space of the collector's metrics."
  type        = string
  default     = "Skybridge"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9/_-]*$", var.namespace)) && !startswith(var.namespace, "AWS/")
    error_message = "namespace must start with a letter and must not start with AWS/."
  }
}

variable "log_groups" {
  description = "Log groups that the collector writes to."
  type        = set(string)
  default     = ["system", "application", "database"]

  validation {
    condition     = length(var.log_groups) > 0 && alltrue([for name in var.log_groups : can(regex("^[a-z][a-z0-9-]*$", name))])
    error_message = "log_groups needs at least one name of small letters, digits and hyphens."
  }
}

variable "log_retention_days" {
  description = "How long logs stay."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30], var.log_retention_days)
    error_message = "log_retention_days must be 1, 3, 5, 7, 14 or 30."
  }
}

variable "log_group_class" {
  description = "INFREQUENT_ACCESS halves the price of ingestion and has no metric filters; the class is fixed when the group is made."
  type        = string
  default     = "INFREQUENT_ACCESS"

  validation {
    condition     = contains(["STANDARD", "INFREQUENT_ACCESS"], var.log_group_class)
    error_message = "log_group_class must be STANDARD or INFREQUENT_ACCESS."
  }
}

variable "cloudwatch_otlp" {
  description = "Whether the collector also uses the OTLP metrics endpoint. Its requests carry no name space, so they need a statement without that condition."
  type        = bool
  default     = true
}

variable "cloudwatch_max_series" {
  description = "The most custom metrics that may exist: each costs 0.30 USD a month. The collector's configuration, the price and the alarm use the same number."
  type        = number
  default     = 60

  validation {
    condition     = var.cloudwatch_max_series >= 0 && var.cloudwatch_max_series <= 1000 && floor(var.cloudwatch_max_series) == var.cloudwatch_max_series
    error_message = "cloudwatch_max_series must be a whole number from 0 to 1000; 1000 series already cost 300 USD a month."
  }
}

variable "xray" {
  description = "Whether the collector may send traces."
  type        = bool
  default     = false
}

variable "cluster_name" {
  description = "Cluster whose pods use the role by Pod Identity; null leaves the association out."
  type        = string
  default     = null

  validation {
    condition     = var.cluster_name == null || length(coalesce(var.cluster_name, "-")) > 1
    error_message = "cluster_name must be null or a cluster's name."
  }
}

variable "service_account" {
  description = "Service account of the collector."
  type        = object({ namespace = string, name = string })
  default     = { namespace = "observability", name = "skybridge" }

  validation {
    condition     = alltrue([for word in values(var.service_account) : can(regex("^[a-z][a-z0-9-]*$", word))])
    error_message = "service_account needs a namespace and a name of small letters, digits and hyphens."
  }
}

variable "database_instance_ids" {
  description = "Database nodes by name, for the alarms on credits and disk burst."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for id in values(var.database_instance_ids) : length(id) > 0])
    error_message = "Each instance id must not be empty."
  }
}

variable "topic_arn" {
  description = "Topic of the alarms."
  type        = string

  validation {
    condition     = length(var.topic_arn) > 0
    error_message = "topic_arn must not be empty."
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
