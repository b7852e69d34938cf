# The database nodes and their disks: stopped at night, never destroyed with the compute stack.

data "terraform_remote_state" "network" {
  backend = var.state_backend
  config  = local.state_of["10-network"]
}

locals {
  network   = data.terraform_remote_state.network.outputs
  addresses = local.network.fixed_addresses.database
  zones     = sort(keys(local.addresses))

  members = { for index, zone in local.zones : format("vm-db%02d", index + 1) => local.addresses[zone] }
  zone_of = { for index, zone in local.zones : format("vm-db%02d", index + 1) => zone }

  # Any of the balancer's addresses serves every zone; each node takes its own zone's.
  collector_of = { for name, zone in local.zone_of : name => "http://${local.network.fixed_addresses.internal[zone]}:4317" }

  artifact = var.agent_artifact == null ? null : {
    bucket = local.network.artifact_bucket.name
    key    = var.agent_artifact.key
    region = var.region
    sha256 = var.agent_artifact.sha256
  }
}

# The passwords exist in Secrets Manager only: the values are ephemeral and never reach the state.
ephemeral "aws_secretsmanager_random_password" "database" {
  for_each = toset(["superuser", "replication", "rewind"])

  password_length     = 32
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "database" {
  name                    = "${var.project}/database"
  description             = "PostgreSQL passwords of superuser, replication and rewind"
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "database" {
  secret_id = aws_secretsmanager_secret.database.id
  secret_string_wo = jsonencode({
    for name, password in ephemeral.aws_secretsmanager_random_password.database : name => password.random_password
  })
  # Raise to change the passwords.
  secret_string_wo_version = 1
}

module "db_bootstrap" {
  source   = "../../../modules/db_bootstrap"
  for_each = local.members

  mode         = var.database.bootstrap
  node         = each.key
  members      = local.members
  scope        = var.project
  client_cidrs = concat([var.vpc_cidr], values(var.onprem_cidrs))
  watchdog     = var.database.watchdog
  secret       = { arn = aws_secretsmanager_secret.database.arn, region = var.region }
}

module "agent_user_data" {
  source   = "../../../modules/agent_user_data"
  for_each = local.members

  hostname       = each.key
  place          = "aws"
  artifact       = module.db_bootstrap[each.key].with_agent ? local.artifact : null
  otlp_endpoint  = local.collector_of[each.key]
  attributes     = { "deployment.environment.name" = var.environment, "cloud.availability_zone" = local.zone_of[each.key] }
  extra_files    = module.db_bootstrap[each.key].files
  extra_commands = module.db_bootstrap[each.key].commands
}

module "ec2" {
  source = "../../../modules/ec2"

  name                = "${var.project}-db"
  instance_type       = var.database.instance_type
  cpu_credits         = var.database.cpu_credits
  ami_id              = var.database.ami_id
  root_volume_gb      = var.database.root_volume_gb
  data_volume_gb      = var.database.data_volume_gb
  security_group_ids  = [local.network.security_group_ids["database"]]
  artifact_bucket_arn = local.network.artifact_bucket.arn
  secret_arns         = [aws_secretsmanager_secret.database.arn]
  nodes = {
    for name, address in local.members : name => {
      availability_zone = local.zone_of[name]
      subnet_id         = local.network.private_subnet_ids[local.zone_of[name]]
      private_ip        = address
      user_data_base64  = module.agent_user_data[name].base64
    }
  }
}

# Prometheus, Loki and Grafana stay on-prem unless asked for: a cloud that sleeps cannot watch the lab.
module "observability_user_data" {
  source   = "../../../modules/agent_user_data"
  for_each = var.observability_place == "aws" ? { vm-observe01 = local.zones[0] } : {}

  hostname      = each.key
  place         = "aws"
  artifact      = local.artifact
  otlp_endpoint = "http://${local.network.fixed_addresses.internal[each.value]}:4317"
  attributes    = { "deployment.environment.name" = var.environment }
}

module "observability_ec2" {
  source   = "../../../modules/ec2"
  for_each = var.observability_place == "aws" ? { vm-observe01 = local.zones[0] } : {}

  name                = "${var.project}-observe"
  instance_type       = "t3.medium"
  ami_id              = var.database.ami_id
  data_volume_gb      = 40
  security_group_ids  = [local.network.security_group_ids["observability"]]
  artifact_bucket_arn = local.network.artifact_bucket.arn
  nodes = {
    (each.key) = {
      availability_zone = each.value
      subnet_id         = local.network.private_subnet_ids[each.value]
      # The third fixed address of the zone, after the database's 10 and the balancer's 20.
      private_ip       = cidrhost("${local.network.fixed_addresses.database[each.value]}/20", 30)
      user_data_base64 = module.observability_user_data[each.key].base64
    }
  }
}

module "hibernation" {
  source   = "../../../modules/hibernation"
  for_each = var.profile == "always" ? {} : { this = true }

  name     = "${var.project}-db"
  calendar = var.calendar
  # Replicas first; the first node, which leads after a clean start, last.
  instances = concat(
    [for module_ in module.observability_ec2 : one(values(module_.instance_ids))],
    reverse([for name in sort(keys(local.members)) : module.ec2.instance_ids[name]]),
  )
  alarm_names = local.network.vpn.alarm_names
}
