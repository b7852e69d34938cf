output "vpc_id" {
  description = "The VPC."
  value       = module.vpc.id
}

output "public_subnet_ids" {
  description = "Public subnets by zone."
  value       = module.vpc.public_subnet_ids
}

output "private_subnet_ids" {
  description = "Private subnets by zone."
  value       = module.vpc.private_subnet_ids
}

output "private_route_table_ids" {
  description = "Private route tables by zone."
  value       = module.vpc.private_route_table_ids
}

output "fixed_addresses" {
  description = "Addresses that stay: database nodes and internal balancer by zone."
  value       = module.preflight.fixed_addresses
}

output "security_group_ids" {
  description = "Groups by name."
  value       = module.security_group.ids
}

output "topic_arn" {
  description = "Topic of alarms and budgets."
  value       = module.notification.topic_arn
}

output "artifact_bucket" {
  description = "Bucket of the agent's binary."
  value       = module.registry.artifact_bucket
}

output "repository_urls" {
  description = "Image repositories."
  value       = module.registry.repository_urls
}

output "eks_version" {
  description = "The checked Kubernetes version."
  value       = module.preflight.eks_version
}

output "nat_gateways" {
  description = "How many NAT gateways the profile allows and the compute stack makes."
  value       = module.preflight.nat_gateways
}

output "vpn" {
  description = "The connection, its tunnels and the secret with its keys."
  value = {
    connection_id     = module.vpn_s2s.connection_id
    tunnels           = module.vpn_s2s.tunnels
    preshared_key_arn = module.vpn_s2s.preshared_key_arn
    alarm_names       = module.vpn_s2s.alarm_names
  }
}

output "rendered_files" {
  description = "On-prem files by path, with marks where the keys belong."
  value       = module.vpn.files
}
