variable "name" {
  description = "Prefix of group names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC that the groups belong to."
  type        = string

  validation {
    condition     = length(var.vpc_id) > 0
    error_message = "vpc_id must not be empty."
  }
}

variable "groups" {
  description = <<-EOT
    Groups by name. Each rule opens one port range to one source: a range (cidr) or another group of
    this map (group). Rules are named, so that removing one leaves the others in place.
  EOT
  type = map(object({
    description = string
    ingress = map(object({
      description = string
      protocol    = optional(string, "tcp")
      from_port   = number
      to_port     = optional(number)
      cidr        = optional(string)
      group       = optional(string)
    }))
  }))

  validation {
    condition = alltrue(flatten([
      for group in values(var.groups) : [for rule in values(group.ingress) : (rule.cidr == null) != (rule.group == null)]
    ]))
    error_message = "Each rule needs either cidr or group, not both and not none."
  }

  validation {
    condition = alltrue(flatten([
      for group in values(var.groups) : [
        for rule in values(group.ingress) : rule.cidr == null || can(cidrhost(rule.cidr, 0))
      ]
    ]))
    error_message = "Each cidr must be an IPv4 range, for example 172.16.4.0/24."
  }

  validation {
    condition = alltrue(flatten([
      for group in values(var.groups) : [
        for rule in values(group.ingress) :
        rule.cidr != "0.0.0.0/0" || (contains([80, 443], rule.from_port) && coalesce(rule.to_port, rule.from_port) == rule.from_port)
      ]
    ]))
    error_message = "A rule opens a port other than 80 or 443 to the whole Internet. SSH and the database are reached through the tunnel or WireGuard: use the on-prem or the developers' range as cidr."
  }

  validation {
    condition = alltrue(flatten([
      for group in values(var.groups) : [
        for rule in values(group.ingress) : rule.group == null || contains(keys(var.groups), coalesce(rule.group, "-"))
      ]
    ]))
    error_message = "A rule names a group that is not in groups."
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
