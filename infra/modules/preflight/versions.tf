# No provider on purpose: what is decided here can be tested in a tenth of a second.
terraform {
  required_version = ">= 1.11"
}
