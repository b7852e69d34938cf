variable "mode" {
  description = "none: an empty OS. agent: an empty OS with the agent. full: etcd, Patroni and PostgreSQL come up by themselves."
  type        = string
  default     = "agent"

  validation {
    condition     = contains(["none", "agent", "full"], var.mode)
    error_message = "mode must be none, agent or full."
  }
}

variable "node" {
  description = "This node's name, one of members."
  type        = string

  validation {
    condition     = contains(keys(var.members), var.node)
    error_message = "node must be one of the members."
  }
}

variable "members" {
  description = "All members by name with their fixed addresses. Three: etcd needs a majority."
  type        = map(string)

  validation {
    condition     = length(var.members) == 3 && length(distinct(values(var.members))) == 3 && alltrue([for address in values(var.members) : can(cidrhost("${address}/32", 0))])
    error_message = "members must be three names with three different IPv4 addresses."
  }
}

variable "scope" {
  description = "Name of the Patroni cluster."
  type        = string
  default     = "skybridge"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.scope))
    error_message = "scope must be small letters, digits and hyphens."
  }
}

variable "client_cidrs" {
  description = "Ranges that may log in, beside the members themselves."
  type        = list(string)

  validation {
    condition     = alltrue([for cidr in var.client_cidrs : can(cidrhost(cidr, 0)) && cidr != "0.0.0.0/0"])
    error_message = "Each entry of client_cidrs must be an IPv4 range and not the whole Internet."
  }
}

variable "patroni_version" {
  description = "Patroni as installed from its Python package. Versions below 4.1 are refused: 3.0.2 loses acknowledged rows when a partition heals."
  type        = string
  default     = "4.1.5"

  validation {
    condition     = can(regex("^(4\\.[1-9][0-9]*\\.[0-9]+|[5-9]\\.[0-9]+\\.[0-9]+)$", var.patroni_version))
    error_message = "patroni_version must be 4.1.0 or newer. Debian 12's own 3.0.2 loses acknowledged rows when a partition heals, so it is never used."
  }
}

variable "postgresql_major" {
  description = "Major version of PostgreSQL, as packaged by the distribution: 15 on Debian 12, 17 on Debian 13."
  type        = number
  default     = 15

  validation {
    condition     = var.postgresql_major >= 15 && var.postgresql_major <= 18
    error_message = "postgresql_major must lie between 15 and 18."
  }
}

variable "timing" {
  description = "Patroni's clock in seconds. The lock is held for ttl; a switch takes about that long after a crash."
  type        = object({ ttl = number, loop_wait = number, retry_timeout = number })
  default     = { ttl = 30, loop_wait = 10, retry_timeout = 10 }

  validation {
    condition     = var.timing.ttl >= 20 && var.timing.loop_wait >= 1 && var.timing.retry_timeout >= 3 && var.timing.loop_wait + 2 * var.timing.retry_timeout <= var.timing.ttl
    error_message = "Patroni 4.1 asks for ttl >= 20, loop_wait >= 1, retry_timeout >= 3 and loop_wait + 2 x retry_timeout <= ttl."
  }
}

variable "watchdog" {
  description = "required: a node without a watchdog device never leads, which is what prevents two writable nodes after a crash of Patroni alone. automatic: used where present. off."
  type        = string
  default     = "required"

  validation {
    condition     = contains(["required", "automatic", "off"], var.watchdog)
    error_message = "watchdog must be required, automatic or off."
  }
}

variable "data_disk" {
  description = "auto: the one disk without partitions becomes the data disk. none: data lies on the root disk."
  type        = string
  default     = "auto"

  validation {
    condition     = contains(["auto", "none"], var.data_disk)
    error_message = "data_disk must be auto or none."
  }
}

variable "secret" {
  description = "Where the three passwords come from: a Secrets Manager ARN with its region, or a file on the node. Both hold JSON with superuser, replication and rewind."
  type = object({
    arn    = optional(string)
    region = optional(string)
    file   = optional(string)
  })
  default = { file = "/etc/skybridge/database-secrets.json" }

  validation {
    condition     = (var.secret.arn == null) != (var.secret.file == null) && (var.secret.arn == null || var.secret.region != null)
    error_message = "secret needs either arn with region, or file."
  }
}

variable "shared_buffers_mb" {
  description = "PostgreSQL's shared memory; a quarter of the node's."
  type        = number
  default     = 1024

  validation {
    condition     = var.shared_buffers_mb >= 16 && var.shared_buffers_mb <= 16384
    error_message = "shared_buffers_mb must lie between 16 and 16384."
  }
}
