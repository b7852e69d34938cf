variable "hostname" {
  description = "Host name, which is also the agent's host.name."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.hostname))
    error_message = "hostname must be small letters, digits and hyphens, start with a letter and not end with a hyphen."
  }
}

variable "place" {
  description = "aws: the agent is fetched from the artifact bucket with the instance's role. onprem: it lies on the machine already or is copied there by hand."
  type        = string

  validation {
    condition     = contains(["aws", "onprem"], var.place)
    error_message = "place must be aws or onprem."
  }
}

variable "artifact" {
  description = "The agent's binary: bucket, key, region and the digest it must have. null installs no agent."
  type = object({
    bucket = string
    key    = string
    region = string
    sha256 = string
  })
  default = null

  validation {
    condition     = var.artifact == null || can(regex("^[0-9a-f]{64}$", var.artifact.sha256))
    error_message = "artifact.sha256 must be 64 hexadecimal digits, as printed by sha256sum: an agent that cannot be checked is not started."
  }
}

variable "otlp_endpoint" {
  description = "Collector that the agent ships to, for example http://10.0.16.20:4317."
  type        = string

  validation {
    condition     = can(regex("^https?://[^/ ]+:[0-9]+$", var.otlp_endpoint))
    error_message = "otlp_endpoint must be http:// or https://, a host and a port."
  }
}

variable "config" {
  description = "The agent's whole configuration; null takes the short one of this module (host metrics and the journal to the collector)."
  type        = string
  default     = null

  validation {
    condition     = var.config == null || can(yamldecode(var.config))
    error_message = "config must be YAML."
  }
}

variable "attributes" {
  description = "Resource attributes of everything the agent sends."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.attributes) : can(regex("^[a-z][a-z0-9_.]*$", key))])
    error_message = "Attribute names are small letters, digits, dots and underscores."
  }
}

variable "extra_files" {
  description = "Further files, for example those of the database bootstrap."
  type = list(object({
    path        = string
    permissions = string
    content     = string
  }))
  default = []

  validation {
    condition     = alltrue([for file in var.extra_files : startswith(file.path, "/") && can(regex("^0[0-7]{3}$", file.permissions))])
    error_message = "Each file needs an absolute path and permissions such as 0644."
  }
}

variable "extra_commands" {
  description = "Commands that run once after the files are written, each as a list of words."
  type        = list(list(string))
  default     = []

  validation {
    condition     = alltrue([for command in var.extra_commands : length(command) > 0])
    error_message = "An empty command runs nothing."
  }
}
