variable "vpc_cidr" {
  description = "Address range of the VPC. Three /20 private and three /24 public subnets are cut from it, so it must be a /16."
  type        = string

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && endswith(var.vpc_cidr, "/16")
    error_message = "vpc_cidr must be an IPv4 range that ends in /16, for example 10.0.0.0/16: the subnet plan cuts /20 and /24 ranges from it."
  }
}

variable "onprem_cidrs" {
  description = "Ranges behind the on-prem firewall that reach the VPC through the tunnel, by name."
  type        = map(string)

  validation {
    condition     = length(var.onprem_cidrs) > 0 && alltrue([for cidr in values(var.onprem_cidrs) : can(cidrhost(cidr, 0))])
    error_message = "onprem_cidrs needs at least one entry and each must be an IPv4 range, for example { lan = \"172.16.4.0/24\" }."
  }
}

variable "foreign_cidrs" {
  description = "Ranges that belong to somebody else and must stay untouched, by name: other teams, Docker, pods of other clusters."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for cidr in values(var.foreign_cidrs) : can(cidrhost(cidr, 0))])
    error_message = "Each entry of foreign_cidrs must be an IPv4 range, for example { team_1 = \"172.16.1.0/24\" }."
  }
}

variable "service_cidr" {
  description = "Range of the cluster's service addresses. It lies outside the VPC but inside many developers' routes."
  type        = string
  default     = "10.100.0.0/16"

  validation {
    condition     = can(cidrhost(var.service_cidr, 0)) && try(tonumber(split("/", var.service_cidr)[1]) >= 12 && tonumber(split("/", var.service_cidr)[1]) <= 24, false)
    error_message = "service_cidr must be an IPv4 range between /12 and /24, which is what the cluster accepts, for example 10.100.0.0/16."
  }
}

variable "pod_cidr" {
  description = "Range of pod addresses when pods do not take theirs from the VPC; null when they do."
  type        = string
  default     = null

  validation {
    condition     = var.pod_cidr == null || can(cidrhost(var.pod_cidr, 0))
    error_message = "pod_cidr must be null or an IPv4 range, for example 100.64.0.0/16."
  }
}

variable "amazon_side_asn" {
  description = "Autonomous system number of the AWS side of the tunnel."
  type        = number
  default     = 64512

  validation {
    condition     = (var.amazon_side_asn >= 64512 && var.amazon_side_asn <= 65534) || (var.amazon_side_asn >= 4200000000 && var.amazon_side_asn <= 4294967294)
    error_message = "amazon_side_asn must be a private number: 64512 to 65534, or 4200000000 to 4294967294."
  }
}

variable "onprem_asn" {
  description = "Autonomous system number of the on-prem firewall."
  type        = number
  default     = 65000

  validation {
    condition     = (var.onprem_asn >= 64512 && var.onprem_asn <= 65534) || (var.onprem_asn >= 4200000000 && var.onprem_asn <= 4294967294)
    error_message = "onprem_asn must be a private number: 64512 to 65534, or 4200000000 to 4294967294."
  }
}

variable "availability_zones" {
  description = "Zones for the subnets. Three etcd voters need three zones: with two, losing one zone may lose the quorum."
  type        = list(string)

  validation {
    condition     = length(distinct(var.availability_zones)) == 3 && length(var.availability_zones) == 3
    error_message = "availability_zones must name exactly three different zones: with two, losing the zone of two etcd members loses the quorum."
  }

  validation {
    condition     = alltrue([for zone in var.availability_zones : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", zone))])
    error_message = "availability_zones must be ordinary zones such as ap-northeast-2a: local zones and wavelength zones carry no NAT gateway or load balancer."
  }
}

variable "customer_gateway_ip" {
  description = "Public address under which the on-prem firewall appears to AWS. Behind a router with NAT this is the router's public address, not the firewall's own."
  type        = string

  validation {
    condition     = can(cidrhost("${var.customer_gateway_ip}/32", 0))
    error_message = "customer_gateway_ip must be one IPv4 address without a prefix, for example 203.0.113.7."
  }

  validation {
    condition = !can(regex(
      "^(10\\.|127\\.|169\\.254\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.)",
      var.customer_gateway_ip,
    ))
    error_message = "customer_gateway_ip is a private address: the firewall stands behind NAT, so give the router's public address here (ask the network administrator, or read it from a what-is-my-address page inside the lab)."
  }
}

variable "eks_version" {
  description = "Kubernetes version of the cluster. Extended support costs 0.50 USD an hour more, so the version must stay in standard support."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.eks_version))
    error_message = "eks_version must look like 1.35."
  }
}

variable "eks_standard_support_ends" {
  description = "Last day of standard support by Kubernetes version, as published by AWS. Extend it when a version is added."
  type        = map(string)
  default = {
    "1.34" = "2026-12-02"
    "1.35" = "2027-03-27"
  }

  validation {
    condition     = alltrue([for date in values(var.eks_standard_support_ends) : can(formatdate("YYYY", "${date}T00:00:00Z"))])
    error_message = "Each date of eks_standard_support_ends must be written YYYY-MM-DD."
  }
}

variable "eks_days_ahead" {
  description = "How many days before the end of standard support a plan starts to fail, so that there is time to upgrade."
  type        = number
  default     = 60

  validation {
    condition     = var.eks_days_ahead >= 0 && var.eks_days_ahead <= 365 && floor(var.eks_days_ahead) == var.eks_days_ahead
    error_message = "eks_days_ahead must be a whole number from 0 to 365."
  }
}

variable "today" {
  description = "The day the calendar checks count from, YYYY-MM-DD; null takes the day of the plan."
  type        = string
  default     = null

  validation {
    condition     = var.today == null || can(formatdate("YYYY", "${var.today}T00:00:00Z"))
    error_message = "today must be null or a date written YYYY-MM-DD."
  }
}

variable "profile" {
  description = "How much runs outside working hours: always (everything), soft (nodes sleep, load balancers stay), lab (compute is destroyed)."
  type        = string
  default     = "soft"

  validation {
    condition     = contains(["always", "soft", "lab"], var.profile)
    error_message = "profile must be always, soft or lab."
  }
}

variable "nat_mode" {
  description = "NAT gateways: single (one for all zones), per_az (one in each), none."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "per_az", "none"], var.nat_mode)
    error_message = "nat_mode must be single, per_az or none."
  }
}

variable "nat_gateways_max" {
  description = "The most NAT gateways each profile's budget carries; one more costs 46.72 USD a month."
  type        = map(number)
  default     = { always = 1, soft = 1, lab = 1 }

  validation {
    condition     = alltrue([for profile in ["always", "soft", "lab"] : try(var.nat_gateways_max[profile] >= 0, false)])
    error_message = "nat_gateways_max needs a number for each of always, soft and lab."
  }
}
