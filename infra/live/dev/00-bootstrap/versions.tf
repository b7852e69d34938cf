terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
  # Local state on purpose: this stack makes the bucket that the others keep theirs in.
}

provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}
