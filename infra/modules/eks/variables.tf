variable "name" {
  description = "Prefix of names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "kubernetes_version" {
  description = "Version, checked against its support dates by the preflight module."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version must look like 1.35."
  }
}

variable "subnet_ids" {
  description = "Private subnets of the control plane's interfaces and the nodes."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids needs at least two subnets in different zones."
  }
}

variable "service_cidr" {
  description = "Range of service addresses, checked by the preflight module."
  type        = string

  validation {
    condition     = can(cidrhost(var.service_cidr, 0))
    error_message = "service_cidr must be an IPv4 range."
  }
}

variable "security_group_ids" {
  description = "Further groups of the control plane: they admit the on-prem ranges on 443, since the private name resolves to private addresses."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "security_group_ids must not be empty: without one, nobody reaches the private endpoint through the tunnel."
  }
}

variable "public_access_cidrs" {
  description = "Ranges that reach the endpoint from outside. Empty: the endpoint is private, reached through the tunnel or WireGuard."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrhost(cidr, 0)) && cidr != "0.0.0.0/0"])
    error_message = "public_access_cidrs must be IPv4 ranges and never the whole Internet: name your own address with /32."
  }
}

variable "admin_arns" {
  description = "IAM principals with cluster administration."
  type        = set(string)

  validation {
    condition     = length(var.admin_arns) > 0 && alltrue([for arn in var.admin_arns : can(regex("^arn:aws:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "admin_arns needs at least one IAM role or user ARN: without an access entry nobody can use the cluster, its maker included."
  }
}

variable "nodes" {
  description = "Worker group: instance type, count limits and root volume. min 0 lets the group sleep."
  type = object({
    instance_type = string
    capacity_type = optional(string, "ON_DEMAND")
    min           = number
    desired       = number
    max           = number
    volume_gb     = optional(number, 20)
  })

  validation {
    condition     = var.nodes.min == 0
    error_message = "nodes.min must be 0: otherwise the group cannot sleep."
  }

  validation {
    condition     = var.nodes.desired <= var.nodes.max && var.nodes.desired >= 1 && var.nodes.max <= 6
    error_message = "nodes needs 1 <= desired <= max <= 6; each t3.medium beyond two costs 40 USD a month always on."
  }

  validation {
    condition     = contains(["t3.medium", "t3.large", "m6i.large"], var.nodes.instance_type)
    error_message = "nodes.instance_type must be t3.medium, t3.large or m6i.large: the prices of others are not in cost/prices.json."
  }

  validation {
    condition     = contains(["ON_DEMAND", "SPOT"], var.nodes.capacity_type)
    error_message = "nodes.capacity_type must be ON_DEMAND or SPOT."
  }
}

variable "log_retention_days" {
  description = "How long audit logs stay."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30], var.log_retention_days)
    error_message = "log_retention_days must be 1, 3, 5, 7, 14 or 30."
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
