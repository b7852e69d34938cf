variable "name" {
  description = "Prefix of names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "calendar" {
  description = "When the lab works: time zone, and the times it wakes and goes to sleep on working days."
  type = object({
    timezone = string
    wake_at  = string
    sleep_at = string
  })
  default = { timezone = "Asia/Seoul", wake_at = "09:00", sleep_at = "02:00" }

  validation {
    condition     = can(regex("^[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+$", var.calendar.timezone))
    error_message = "calendar.timezone must be a zone such as Asia/Seoul."
  }

  validation {
    condition     = alltrue([for time in [var.calendar.wake_at, var.calendar.sleep_at] : can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", time))]) && var.calendar.wake_at != var.calendar.sleep_at
    error_message = "calendar.wake_at and sleep_at must be two different times written HH:MM."
  }
}

variable "instances" {
  description = "Instances in the order in which they go to sleep, one minute apart: replicas first, the usual leader last. They wake together."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.instances : length(id) > 0]) && length(distinct(var.instances)) == length(var.instances)
    error_message = "instances must be different instance ids."
  }
}

variable "node_groups" {
  description = "Worker groups that are drained to zero before the instances sleep and come back before the day begins."
  type = list(object({
    cluster = string
    name    = string
    min     = number
    desired = number
    max     = number
  }))
  default = []

  validation {
    condition     = alltrue([for group in var.node_groups : group.min == 0 && group.desired >= 1 && group.desired <= group.max])
    error_message = "Each node group needs min 0 and 1 <= desired <= max."
  }
}

variable "alarm_names" {
  description = "Alarms that keep quiet while the lab sleeps."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.alarm_names) <= 100
    error_message = "At most 100 alarms can be muted in one call."
  }
}

variable "lead_minutes" {
  description = "How long before the day the instances start; node groups follow after half of it."
  type        = number
  default     = 20

  validation {
    condition     = var.lead_minutes >= 4 && var.lead_minutes <= 59 && var.lead_minutes % 2 == 0
    error_message = "lead_minutes must be an even number from 4 to 58."
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
