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

variable "subnet_ids" {
  description = "Public subnets; each zone costs one public address (3.65 USD a month), two are enough for the balancer."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids needs at least two subnets in different zones, which is what the balancer asks for."
  }
}

variable "security_group_ids" {
  description = "Groups of the balancer."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "security_group_ids must not be empty."
  }
}

variable "certificate_arn" {
  description = "Certificate for HTTPS; null serves plain HTTP, which is for a first look only."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || startswith(coalesce(var.certificate_arn, "-"), "arn:aws:acm:")
    error_message = "certificate_arn must be null or the ARN of an ACM certificate."
  }
}

variable "app" {
  description = "Port and health path of the application's pods."
  type        = object({ port = number, health_path = string })
  default     = { port = 8080, health_path = "/" }

  validation {
    condition     = var.app.port >= 1 && var.app.port <= 65535 && startswith(var.app.health_path, "/")
    error_message = "app needs a port between 1 and 65535 and a health_path that starts with a slash."
  }
}

variable "rate_limit" {
  description = "Requests per address in five minutes before it is blocked; null leaves the rule out (1 USD a month)."
  type        = number
  default     = null

  validation {
    condition     = var.rate_limit == null || coalesce(var.rate_limit, 0) >= 100
    error_message = "rate_limit must be null or at least 100."
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
