# Renders what leaves Terraform as files, without a provider: the golden files and the test beds are
# both made from here, so that a bed never runs anything but what users get.
terraform {
  required_version = ">= 1.11"
}

variable "vpn" {
  description = "Arguments of the vpn module."
  type        = any
}

variable "database" {
  description = "Arguments of the db_bootstrap module, without node."
  type        = any
}

variable "agent" {
  description = "Arguments of the agent_user_data module for the database nodes, without hostname."
  type        = any
}

module "vpn" {
  source = "../../modules/vpn"

  name                    = var.vpn.name
  vpc_cidr                = var.vpn.vpc_cidr
  onprem_cidrs            = var.vpn.onprem_cidrs
  onprem_summary_cidr     = var.vpn.onprem_summary_cidr
  public_ip               = var.vpn.public_ip
  wan_address             = var.vpn.wan_address
  tunnels                 = var.vpn.tunnels
  wireguard               = var.vpn.wireguard
  wireguard_users         = var.vpn.wireguard_users
  phase1_lifetime_seconds = 28800
  phase2_lifetime_seconds = 3600
}

module "db_bootstrap" {
  source   = "../../modules/db_bootstrap"
  for_each = var.database.members

  mode              = "full"
  node              = each.key
  members           = var.database.members
  scope             = var.database.scope
  client_cidrs      = var.database.client_cidrs
  timing            = var.database.timing
  watchdog          = var.database.watchdog
  data_disk         = var.database.data_disk
  secret            = var.database.secret
  shared_buffers_mb = var.database.shared_buffers_mb
}

module "agent_user_data" {
  source   = "../../modules/agent_user_data"
  for_each = var.database.members

  hostname       = each.key
  place          = var.agent.place
  artifact       = var.agent.artifact
  otlp_endpoint  = var.agent.otlp_endpoint
  attributes     = var.agent.attributes
  extra_files    = module.db_bootstrap[each.key].files
  extra_commands = module.db_bootstrap[each.key].commands
}

module "onprem_user_data" {
  source = "../../modules/agent_user_data"

  hostname      = "vm-web01"
  place         = "onprem"
  otlp_endpoint = var.agent.otlp_endpoint
  attributes    = var.agent.attributes
  artifact = {
    bucket = "unused-on-prem"
    key    = "unused-on-prem"
    region = "ap-northeast-2"
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  }
}

output "files" {
  description = "Every rendered file by path."
  value = merge(
    module.vpn.files,
    { for node, part in module.agent_user_data : "user-data/${node}.yaml" => part.rendered },
    { "user-data/onprem.yaml" = module.onprem_user_data.rendered },
  )
}
