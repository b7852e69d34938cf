output "cluster" {
  description = "The cluster: name, endpoint and its worker group."
  value       = { name = module.eks.cluster_name, endpoint = module.eks.endpoint, node_group = module.eks.node_group }
}

output "web" {
  description = "The web balancer: its name and the group that pods join."
  value       = { dns_name = module.web_alb_waf.dns_name, target_group_arn = module.web_alb_waf.target_group_arn }
}

output "internal" {
  description = "The internal balancer: fixed addresses, the groups that the collector's pods join, and the database's health check."
  value = {
    addresses         = module.internal_nlb.addresses
    target_group_arns = module.internal_nlb.telemetry_target_group_arns
    health_check      = module.internal_nlb.health_check
  }
}

output "schedules" {
  description = "When the workers sleep and wake."
  value       = { for key, part in module.hibernation : key => part.schedules }
}
