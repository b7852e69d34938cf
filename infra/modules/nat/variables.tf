variable "name" {
  description = "Prefix of names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "mode" {
  description = "single: one gateway for all zones. per_az: one in each zone, 46.72 USD a month each. none."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "per_az", "none"], var.mode)
    error_message = "mode must be single, per_az or none."
  }
}

variable "public_subnet_ids" {
  description = "Public subnets by zone."
  type        = map(string)

  validation {
    condition     = length(var.public_subnet_ids) > 0
    error_message = "public_subnet_ids must not be empty."
  }
}

variable "private_route_table_ids" {
  description = "Private route tables by the same zones."
  type        = map(string)

  validation {
    condition     = length(var.private_route_table_ids) > 0
    error_message = "private_route_table_ids must not be empty."
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
