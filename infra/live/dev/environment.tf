# The variables of all stacks, linked into each: one shared file of values, no undeclared names.

variable "project" {
  description = "Prefix of every name."
  type        = string
  default     = "skybridge"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}$", var.project))
    error_message = "project must be 2 to 15 small letters, digits and hyphens and start with a letter: load balancer names are short."
  }
}

variable "environment" {
  description = "Environment, part of every tag."
  type        = string
  default     = "dev"

  validation {
    condition     = can(regex("^[a-z]{2,8}$", var.environment))
    error_message = "environment must be 2 to 8 small letters."
  }
}

variable "owner" {
  description = "Team that pays, part of every tag."
  type        = string

  validation {
    condition     = length(var.owner) > 0
    error_message = "owner must not be empty: an untagged resource is nobody's."
  }
}

variable "ttl" {
  description = "How long the environment may live, part of every tag, for example 30d or none."
  type        = string

  validation {
    condition     = can(regex("^(none|[0-9]+[dh])$", var.ttl))
    error_message = "ttl must be none or a number with d or h, for example 30d."
  }
}

variable "region" {
  description = "AWS region. The prices in cost/prices.json are Seoul's."
  type        = string
  default     = "ap-northeast-2"

  validation {
    condition     = var.region == "ap-northeast-2"
    error_message = "region must be ap-northeast-2: the price table, the zones and the budget profiles are Seoul's."
  }
}

variable "state_backend" {
  description = "Where the other stacks' state lies: s3, or local for a rehearsal without an account."
  type        = string
  default     = "s3"

  validation {
    condition     = contains(["s3", "local"], var.state_backend)
    error_message = "state_backend must be s3 or local."
  }
}

variable "state_location" {
  description = "Bucket of the states (s3), or their folder (local)."
  type        = string

  validation {
    condition     = length(var.state_location) > 0
    error_message = "state_location must name the state bucket that the bootstrap stack made."
  }
}

variable "profile" {
  description = "How much runs outside working hours: always, soft or lab."
  type        = string
  default     = "soft"

  validation {
    condition     = contains(["always", "soft", "lab"], var.profile)
    error_message = "profile must be always, soft or lab."
  }
}

variable "today" {
  description = "The day the calendar checks count from; null takes the day of the plan."
  type        = string
  default     = null

  validation {
    condition     = var.today == null || can(formatdate("YYYY", "${var.today}T00:00:00Z"))
    error_message = "today must be null or a date written YYYY-MM-DD."
  }
}

variable "vpc_cidr" {
  description = "Range of the VPC."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0))
    error_message = "vpc_cidr must be an IPv4 range."
  }
}

variable "availability_zones" {
  description = "The three zones."
  type        = list(string)
  default     = ["ap-northeast-2a", "ap-northeast-2b", "ap-northeast-2c"]

  validation {
    condition     = length(var.availability_zones) == 3
    error_message = "availability_zones must name three zones."
  }
}

variable "onprem_cidrs" {
  description = "On-prem ranges that reach the VPC, by name: lan and developers."
  type        = map(string)

  validation {
    condition     = contains(keys(var.onprem_cidrs), "lan") && contains(keys(var.onprem_cidrs), "developers")
    error_message = "onprem_cidrs needs the entries lan and developers."
  }
}

variable "foreign_cidrs" {
  description = "Ranges of other teams and of Docker, which nothing here may overlap."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for cidr in values(var.foreign_cidrs) : can(cidrhost(cidr, 0))])
    error_message = "Each entry of foreign_cidrs must be an IPv4 range."
  }
}

variable "service_cidr" {
  description = "Range of the cluster's services."
  type        = string
  default     = "10.100.0.0/16"

  validation {
    condition     = can(cidrhost(var.service_cidr, 0))
    error_message = "service_cidr must be an IPv4 range."
  }
}

variable "customer_gateway_ip" {
  description = "Public address of the site."
  type        = string

  validation {
    condition     = can(cidrhost("${var.customer_gateway_ip}/32", 0))
    error_message = "customer_gateway_ip must be one IPv4 address."
  }
}

variable "firewall_wan_address" {
  description = "Address of the firewall's own outer interface, behind the router's NAT."
  type        = string

  validation {
    condition     = can(cidrhost("${var.firewall_wan_address}/32", 0))
    error_message = "firewall_wan_address must be one IPv4 address."
  }
}

variable "asn" {
  description = "Autonomous system numbers of both ends of the tunnel."
  type        = object({ amazon = number, onprem = number })
  default     = { amazon = 64512, onprem = 65000 }

  validation {
    condition     = var.asn.amazon != var.asn.onprem
    error_message = "asn.amazon and asn.onprem must differ."
  }
}

variable "routing" {
  description = "static or bgp."
  type        = string
  default     = "static"

  validation {
    condition     = contains(["static", "bgp"], var.routing)
    error_message = "routing must be static or bgp."
  }
}

variable "wireguard" {
  description = "The developers' entrance."
  type        = object({ endpoint = string, port = number, public_key = string })

  validation {
    condition     = can(regex("^[A-Za-z0-9+/]{43}=$", var.wireguard.public_key))
    error_message = "wireguard.public_key must be 44 characters of base64."
  }
}

variable "wireguard_users" {
  description = "Developers by name."
  type        = map(object({ public_key = string, host = number }))
  default     = {}

  validation {
    condition     = alltrue([for user in values(var.wireguard_users) : user.host >= 2 && user.host <= 254])
    error_message = "Each host number must lie between 2 and 254."
  }
}

variable "nat_mode" {
  description = "single, per_az or none."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "per_az", "none"], var.nat_mode)
    error_message = "nat_mode must be single, per_az or none."
  }
}

variable "monthly_budget_usd" {
  description = "What a month may cost."
  type        = number
  default     = 450

  validation {
    condition     = var.monthly_budget_usd > 0 && var.monthly_budget_usd <= 450
    error_message = "monthly_budget_usd must lie between 1 and 450."
  }
}

variable "alert_emails" {
  description = "Who is told about alarms and spending."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "Each entry of alert_emails must be a mail address."
  }
}

variable "database" {
  description = "The database nodes: sizing and how far they are brought up."
  type = object({
    instance_type  = optional(string, "t3.medium")
    cpu_credits    = optional(string, "standard")
    ami_id         = string
    bootstrap      = optional(string, "agent")
    root_volume_gb = optional(number, 8)
    data_volume_gb = optional(number, 12)
    watchdog       = optional(string, "required")
  })

  validation {
    condition     = contains(["none", "agent", "full"], var.database.bootstrap)
    error_message = "database.bootstrap must be none, agent or full."
  }
}

variable "agent_artifact" {
  description = "Key and digest of the agent's binary in the artifact bucket; null installs no agent."
  type        = object({ key = string, sha256 = string })
  default     = null

  validation {
    condition     = var.agent_artifact == null || can(regex("^[0-9a-f]{64}$", var.agent_artifact.sha256))
    error_message = "agent_artifact.sha256 must be 64 hexadecimal digits."
  }
}

variable "eks_version" {
  description = "Kubernetes version."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.eks_version))
    error_message = "eks_version must look like 1.35."
  }
}

variable "eks_public_access_cidrs" {
  description = "Ranges that reach the cluster's endpoint from outside; empty keeps it private."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.eks_public_access_cidrs : cidr != "0.0.0.0/0"])
    error_message = "eks_public_access_cidrs must never be the whole Internet."
  }
}

variable "eks_admin_arns" {
  description = "IAM principals with cluster administration."
  type        = set(string)

  validation {
    condition     = length(var.eks_admin_arns) > 0
    error_message = "eks_admin_arns needs at least one role or user."
  }
}

variable "eks_nodes" {
  description = "The cluster's workers."
  type = object({
    instance_type = optional(string, "t3.medium")
    capacity_type = optional(string, "ON_DEMAND")
    desired       = optional(number, 2)
    max           = optional(number, 4)
    volume_gb     = optional(number, 20)
  })
  default = {}

  validation {
    condition     = var.eks_nodes.desired >= 1 && var.eks_nodes.desired <= var.eks_nodes.max
    error_message = "eks_nodes needs 1 <= desired <= max."
  }
}

variable "certificate_arn" {
  description = "Certificate of the web balancer; null serves plain HTTP."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || startswith(coalesce(var.certificate_arn, "-"), "arn:aws:acm:")
    error_message = "certificate_arn must be null or the ARN of an ACM certificate."
  }
}

variable "calendar" {
  description = "When the lab works."
  type        = object({ timezone = string, wake_at = string, sleep_at = string })
  default     = { timezone = "Asia/Seoul", wake_at = "09:00", sleep_at = "02:00" }

  validation {
    condition     = var.calendar.wake_at != var.calendar.sleep_at
    error_message = "calendar.wake_at and sleep_at must differ."
  }
}

variable "observability_place" {
  description = "Where Prometheus, Loki and Grafana run: onprem, or aws on a machine of its own whose data volume stays."
  type        = string
  default     = "onprem"

  validation {
    condition     = contains(["onprem", "aws"], var.observability_place)
    error_message = "observability_place must be onprem or aws."
  }
}

variable "cloudwatch_max_series" {
  description = "The most custom metrics in CloudWatch: one number for the collector, the price and the alarm."
  type        = number
  default     = 60

  validation {
    condition     = var.cloudwatch_max_series >= 0 && var.cloudwatch_max_series <= 1000
    error_message = "cloudwatch_max_series must lie between 0 and 1000."
  }
}

variable "cloudwatch_otlp" {
  description = "Whether the collector uses CloudWatch's OTLP endpoint for metrics."
  type        = bool
  default     = true
}

locals {
  tags = {
    Project = var.project
    Env     = var.environment
    Owner   = var.owner
    Ttl     = var.ttl
  }

  # Both backends as maps of text, so that one expression serves either.
  state_of = {
    for stack in ["10-network", "20-data", "30-compute"] : stack => var.state_backend == "local" ? {
      path = "${var.state_location}/${stack}.tfstate"
      } : {
      bucket = var.state_location
      key    = "${var.environment}/${stack}.tfstate"
      region = var.region
    }
  }
}
