variable "name" {
  description = "Prefix of names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "nodes" {
  description = "Nodes by name: zone, subnet, fixed private address and user data (gzip, base64). Addresses stay the same over stop, start and rebuild, so that etcd peers and on-prem rules keep them."
  type = map(object({
    availability_zone = string
    subnet_id         = string
    private_ip        = string
    user_data_base64  = string
  }))

  validation {
    condition     = length(distinct([for node in values(var.nodes) : node.availability_zone])) == min(length(var.nodes), 3)
    error_message = "The nodes must be spread over as many zones as there are nodes, up to three: three etcd voters in two zones lose the quorum with one zone."
  }

  validation {
    condition     = alltrue([for node in values(var.nodes) : can(cidrhost("${node.private_ip}/32", 0))])
    error_message = "Each private_ip must be one IPv4 address."
  }

  validation {
    # 16 KiB before base64 is the limit of EC2.
    condition     = alltrue([for node in values(var.nodes) : length(node.user_data_base64) <= 16384 * 4 / 3])
    error_message = "User data exceeds 16 KiB compressed: move files into the artifact bucket."
  }
}

variable "instance_type" {
  description = "Instance type. t3.medium with standard credits costs 12.26 USD a month less than t2.medium for three nodes."
  type        = string
  default     = "t3.medium"

  validation {
    condition     = contains(["t2.medium", "t3.medium", "t3.large", "m6i.large"], var.instance_type)
    error_message = "instance_type must be one of t2.medium, t3.medium, t3.large, m6i.large: the prices of others are not in cost/prices.json, and t4g (ARM) was refused."
  }
}

variable "cpu_credits" {
  description = "standard never costs more than its hour; unlimited helps a first start without credits and must be set back."
  type        = string
  default     = "standard"

  validation {
    condition     = contains(["standard", "unlimited"], var.cpu_credits)
    error_message = "cpu_credits must be standard or unlimited."
  }
}

variable "ami_id" {
  description = "Debian 12 image, amd64. Changing it later does not rebuild existing nodes."
  type        = string

  validation {
    condition     = startswith(var.ami_id, "ami-")
    error_message = "ami_id must start with ami-."
  }
}

variable "security_group_ids" {
  description = "Groups of every node."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "security_group_ids must not be empty: without one, the VPC's empty default group would apply."
  }
}

variable "root_volume_gb" {
  description = "Size of the root volume; a gigabyte of gp3 costs 0.0912 USD a month."
  type        = number
  default     = 8

  validation {
    condition     = var.root_volume_gb >= 8 && var.root_volume_gb <= 100
    error_message = "root_volume_gb must lie between 8 and 100."
  }
}

variable "data_volume_gb" {
  description = "Size of the separate data volume. A rebuilt node keeps it."
  type        = number
  default     = 12

  validation {
    condition     = var.data_volume_gb >= 4 && var.data_volume_gb <= 1000
    error_message = "data_volume_gb must lie between 4 and 1000."
  }
}

variable "artifact_bucket_arn" {
  description = "Bucket that nodes read the agent from; null gives no such right."
  type        = string
  default     = null

  validation {
    condition     = var.artifact_bucket_arn == null || startswith(coalesce(var.artifact_bucket_arn, "-"), "arn:")
    error_message = "artifact_bucket_arn must be null or an ARN."
  }
}

variable "secret_arns" {
  description = "Secrets that nodes read at start."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.secret_arns : !strcontains(arn, "*")])
    error_message = "secret_arns must name single secrets, not patterns."
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
