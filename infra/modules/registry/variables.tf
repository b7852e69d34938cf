variable "name" {
  description = "Prefix of repository and bucket names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 small letters, digits and hyphens and start with a letter."
  }
}

variable "repositories" {
  description = "Image repositories."
  type        = set(string)
  default     = ["skybridge"]

  validation {
    condition     = alltrue([for name in var.repositories : can(regex("^[a-z0-9][a-z0-9/._-]*$", name))])
    error_message = "Repository names hold small letters, digits and / . _ - only."
  }
}

variable "images_kept" {
  description = "How many images each repository keeps; a gigabyte costs 0.10 USD a month."
  type        = number
  default     = 10

  validation {
    condition     = var.images_kept >= 1 && var.images_kept <= 1000
    error_message = "images_kept must lie between 1 and 1000."
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
