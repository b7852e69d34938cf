variable "name" {
  description = "Prefix of names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string

  validation {
    condition     = length(var.vpc_id) > 0
    error_message = "vpc_id must not be empty."
  }
}

variable "subnets" {
  description = "Private subnet and fixed address in each zone. The addresses survive destroy and create, so that on-prem rules and agents keep them."
  type        = map(object({ subnet_id = string, private_ip = string }))

  validation {
    condition     = length(var.subnets) == 3 && alltrue([for subnet in values(var.subnets) : can(cidrhost("${subnet.private_ip}/32", 0))])
    error_message = "subnets needs three zones, each with one IPv4 address."
  }
}

variable "security_group_ids" {
  description = "Groups of the balancer. They can only be attached when it is made, so leaving them out cannot be repaired later."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "security_group_ids must not be empty: a network load balancer takes groups only when it is created."
  }
}

variable "instance_ids" {
  description = "Database nodes by name."
  type        = map(string)

  validation {
    condition     = length(var.instance_ids) > 0
    error_message = "instance_ids must not be empty."
  }
}

variable "health_check" {
  description = "How Patroni is asked. 5 s, two good, two bad: a new leader is found in about 10 s."
  type        = object({ interval = number, timeout = number, healthy = number, unhealthy = number })
  default     = { interval = 5, timeout = 3, healthy = 2, unhealthy = 2 }

  validation {
    condition     = var.health_check.interval >= 5 && var.health_check.interval <= 300 && var.health_check.timeout >= 2 && var.health_check.timeout < var.health_check.interval && var.health_check.healthy >= 2 && var.health_check.unhealthy >= 2
    error_message = "health_check needs interval 5 to 300, timeout at least 2 and below interval, healthy and unhealthy at least 2."
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
