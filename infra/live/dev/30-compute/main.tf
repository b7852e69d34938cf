# What may be destroyed every night: the way out, the balancers, the cluster. Fixed addresses of the
# internal balancer make it come back in the same place.

data "terraform_remote_state" "network" {
  backend = var.state_backend
  config  = local.state_of["10-network"]
}

data "terraform_remote_state" "data" {
  backend = var.state_backend
  config  = local.state_of["20-data"]
}

locals {
  network  = data.terraform_remote_state.network.outputs
  database = data.terraform_remote_state.data.outputs.database
  zones    = sort(keys(local.network.private_subnet_ids))
}

module "nat" {
  source = "../../../modules/nat"

  name                    = var.project
  mode                    = var.nat_mode
  public_subnet_ids       = local.network.public_subnet_ids
  private_route_table_ids = local.network.private_route_table_ids
}

module "internal_nlb" {
  source = "../../../modules/internal_nlb"

  name               = var.project
  vpc_id             = local.network.vpc_id
  security_group_ids = [local.network.security_group_ids["internal"]]
  instance_ids       = local.database.instance_ids
  topic_arn          = local.network.topic_arn
  subnets = {
    for zone in local.zones : zone => {
      subnet_id  = local.network.private_subnet_ids[zone]
      private_ip = local.network.fixed_addresses.internal[zone]
    }
  }
}

module "web_alb_waf" {
  source = "../../../modules/web_alb_waf"

  name               = var.project
  vpc_id             = local.network.vpc_id
  security_group_ids = [local.network.security_group_ids["web"]]
  certificate_arn    = var.certificate_arn
  # Two zones: each costs a public address.
  subnet_ids = [for zone in slice(local.zones, 0, 2) : local.network.public_subnet_ids[zone]]
}

module "eks" {
  source = "../../../modules/eks"

  name                = var.project
  kubernetes_version  = local.network.eks_version
  subnet_ids          = [for zone in local.zones : local.network.private_subnet_ids[zone]]
  service_cidr        = var.service_cidr
  security_group_ids  = [local.network.security_group_ids["cluster"]]
  public_access_cidrs = var.eks_public_access_cidrs
  admin_arns          = var.eks_admin_arns
  nodes               = merge(var.eks_nodes, { min = 0 })

  depends_on = [module.nat]
}

module "hibernation" {
  source   = "../../../modules/hibernation"
  for_each = var.profile == "soft" ? { this = true } : {}

  name        = "${var.project}-eks"
  calendar    = var.calendar
  node_groups = [module.eks.node_group]
  alarm_names = module.internal_nlb.alarm_names
}
