variable "name" {
  description = "Name of the VPC and prefix of what belongs to it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "cidr" {
  description = "Address range of the VPC, checked by the preflight module."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0))
    error_message = "cidr must be an IPv4 range, for example 10.0.0.0/16."
  }
}

variable "subnets" {
  description = "Public and private ranges by zone, as the preflight module plans them."
  type        = object({ public = map(string), private = map(string) })

  validation {
    condition     = length(var.subnets.private) == 3 && keys(var.subnets.public) == keys(var.subnets.private)
    error_message = "subnets needs a public and a private range in each of the same three zones: two zones cannot hold three etcd voters safely."
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
