# What must always stay: addresses, the tunnel, images, the budget. A plan of this stack must never
# replace the tunnel.

module "preflight" {
  source = "../../../modules/preflight"

  vpc_cidr            = var.vpc_cidr
  onprem_cidrs        = var.onprem_cidrs
  foreign_cidrs       = var.foreign_cidrs
  service_cidr        = var.service_cidr
  amazon_side_asn     = var.asn.amazon
  onprem_asn          = var.asn.onprem
  availability_zones  = var.availability_zones
  customer_gateway_ip = var.customer_gateway_ip
  eks_version         = var.eks_version
  today               = var.today
  profile             = var.profile
  nat_mode            = var.nat_mode
}

module "vpc" {
  source = "../../../modules/vpc"

  name    = var.project
  cidr    = var.vpc_cidr
  subnets = module.preflight.subnets
}

module "notification" {
  source = "../../../modules/notification"

  name   = "${var.project}-alerts"
  emails = var.alert_emails
}

module "cost_guard" {
  source = "../../../modules/cost_guard"

  name               = var.project
  monthly_budget_usd = var.monthly_budget_usd
  topic_arn          = module.notification.topic_arn
}

module "registry" {
  source = "../../../modules/registry"

  name = var.project
}

module "vpn_s2s" {
  source = "../../../modules/vpn_s2s"

  name                = var.project
  vpc_id              = module.vpc.id
  route_table_ids     = module.vpc.private_route_table_ids
  customer_gateway_ip = module.preflight.customer_gateway_ip
  onprem_cidrs        = var.onprem_cidrs
  routing             = var.routing
  asn                 = module.preflight.asn
  topic_arn           = module.notification.topic_arn
}

module "vpn" {
  source = "../../../modules/vpn"

  name            = var.project
  vpc_cidr        = var.vpc_cidr
  onprem_cidrs    = var.onprem_cidrs
  public_ip       = module.preflight.customer_gateway_ip
  wan_address     = var.firewall_wan_address
  tunnels         = module.vpn_s2s.tunnels
  routing         = var.routing
  asn             = module.preflight.asn
  wireguard       = var.wireguard
  wireguard_users = var.wireguard_users
}

locals {
  lan        = var.onprem_cidrs["lan"]
  developers = var.onprem_cidrs["developers"]

  # Three sources and no other: the VPC, the lab's LAN and its developers.
  database_sources = { vpc = var.vpc_cidr, lan = local.lan, developers = local.developers }
  database_ports   = { postgresql = 5432, patroni = 8008, etcd = 2379 }
}

module "security_group" {
  source = "../../../modules/security_group"

  name   = var.project
  vpc_id = module.vpc.id
  groups = {
    database = {
      description = "Database nodes: PostgreSQL, Patroni, etcd"
      ingress = merge(
        merge([
          for port_name, port in local.database_ports : {
            for source, cidr in local.database_sources : "${port_name}_${source}" => {
              description = "${port_name} from ${source}"
              from_port   = port
              cidr        = cidr
            }
          }
        ]...),
        {
          etcd_peer = { description = "etcd between members", from_port = 2380, group = "database" }
          ssh       = { description = "SSH from developers, by WireGuard only", from_port = 22, cidr = local.developers }
        },
      )
    }
    internal = {
      description = "Internal load balancer: database and OTLP"
      ingress = merge([
        for name, port in { write = 5432, read = 5433, otlp_grpc = 4317, otlp_http = 4318 } : {
          for source, cidr in local.database_sources : "${name}_${source}" => {
            description = "${name} from ${source}"
            from_port   = port
            cidr        = cidr
          }
        }
      ]...)
    }
    web = {
      description = "Web load balancer"
      ingress = {
        http  = { description = "HTTP", from_port = 80, cidr = "0.0.0.0/0" }
        https = { description = "HTTPS", from_port = 443, cidr = "0.0.0.0/0" }
      }
    }
    cluster = {
      description = "Cluster endpoint, private, for on-prem"
      ingress = {
        lan        = { description = "API from the lab", from_port = 443, cidr = local.lan }
        developers = { description = "API from developers", from_port = 443, cidr = local.developers }
      }
    }
    observability = {
      description = "Prometheus, Loki and Grafana, when they run in AWS"
      ingress = merge([
        for name, port in { grafana = 3000, prometheus = 9090, loki = 3100 } : {
          for source, cidr in local.database_sources : "${name}_${source}" => {
            description = "${name} from ${source}"
            from_port   = port
            cidr        = cidr
          }
        }
      ]...)
    }
  }
}
