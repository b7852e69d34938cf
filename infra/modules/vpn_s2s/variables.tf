variable "name" {
  description = "Prefix of names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC that the gateway is attached to."
  type        = string

  validation {
    condition     = length(var.vpc_id) > 0
    error_message = "vpc_id must not be empty."
  }
}

variable "route_table_ids" {
  description = "Private route tables by zone: they learn the on-prem ranges from the gateway. Public tables do not, since nothing public talks to the lab."
  type        = map(string)

  validation {
    condition     = length(var.route_table_ids) > 0
    error_message = "route_table_ids must not be empty: without propagation no answer finds its way back."
  }
}

variable "customer_gateway_ip" {
  description = "Public address of the site, checked by the preflight module."
  type        = string

  validation {
    condition     = can(cidrhost("${var.customer_gateway_ip}/32", 0))
    error_message = "customer_gateway_ip must be one IPv4 address."
  }
}

variable "onprem_cidrs" {
  description = "On-prem ranges by name; each becomes a static route."
  type        = map(string)

  validation {
    condition     = length(var.onprem_cidrs) > 0 && alltrue([for cidr in values(var.onprem_cidrs) : can(cidrhost(cidr, 0))])
    error_message = "onprem_cidrs needs at least one IPv4 range."
  }
}

variable "routing" {
  description = "static or bgp. BGP is the only way to automatic failover on the AWS side."
  type        = string
  default     = "static"

  validation {
    condition     = contains(["static", "bgp"], var.routing)
    error_message = "routing must be static or bgp."
  }
}

variable "asn" {
  description = "Autonomous system numbers of both ends."
  type        = object({ amazon = number, onprem = number })
  default     = { amazon = 64512, onprem = 65000 }

  validation {
    condition     = var.asn.amazon != var.asn.onprem
    error_message = "asn.amazon and asn.onprem must differ."
  }
}

variable "inside_cidrs" {
  description = "Inside range of each tunnel, fixed so that the firewall's interfaces are known before the tunnel exists."
  type        = list(string)
  default     = ["169.254.10.0/30", "169.254.11.0/30"]

  validation {
    condition     = length(var.inside_cidrs) == 2 && length(distinct(var.inside_cidrs)) == 2 && alltrue([for cidr in var.inside_cidrs : can(regex("^169\\.254\\.[0-9.]+/30$", cidr)) && can(cidrhost(cidr, 0))])
    error_message = "inside_cidrs must be two different /30 ranges of 169.254.0.0/16, for example 169.254.10.0/30."
  }

  validation {
    # AWS keeps these for itself.
    condition     = alltrue([for cidr in var.inside_cidrs : !contains(["169.254.0.0/30", "169.254.1.0/30", "169.254.2.0/30", "169.254.3.0/30", "169.254.4.0/30", "169.254.5.0/30", "169.254.169.252/30"], cidr)])
    error_message = "169.254.0.0/30 to 169.254.5.0/30 and 169.254.169.252/30 are reserved by AWS: choose another range."
  }
}

variable "dpd_timeout_seconds" {
  description = "After this long without an answer AWS clears the tunnel; the firewall dials again."
  type        = number
  default     = 30

  validation {
    condition     = var.dpd_timeout_seconds >= 30
    error_message = "dpd_timeout_seconds must be at least 30."
  }
}

variable "phase1_lifetime_seconds" {
  description = "Lifetime of the key exchange's association."
  type        = number
  default     = 28800

  validation {
    condition     = var.phase1_lifetime_seconds >= 900 && var.phase1_lifetime_seconds <= 28800
    error_message = "phase1_lifetime_seconds must lie between 900 and 28800."
  }
}

variable "phase2_lifetime_seconds" {
  description = "Lifetime of the association that carries traffic."
  type        = number
  default     = 3600

  validation {
    condition     = var.phase2_lifetime_seconds >= 900 && var.phase2_lifetime_seconds <= 3600
    error_message = "phase2_lifetime_seconds must lie between 900 and 3600."
  }
}

variable "log_retention_days" {
  description = "How long tunnel logs stay; without a retention they stay for ever and are paid for ever."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30], var.log_retention_days)
    error_message = "log_retention_days must be 1, 3, 5, 7, 14 or 30."
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
