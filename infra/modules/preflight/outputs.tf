output "subnets" {
  description = "The subnet plan: public and private ranges by zone."
  value       = { public = local.public_subnets, private = local.private_subnets }

  precondition {
    condition     = length(local.misaligned) == 0
    error_message = "Some ranges do not start at their network address. Write them so: ${join("; ", local.misaligned)}."
  }

  precondition {
    condition     = length(local.overlaps) == 0
    error_message = "These ranges overlap, so one side would never be reached through the tunnel: ${join("; ", local.overlaps)}. Give one of each pair another range."
  }
}

output "fixed_addresses" {
  description = "Addresses that survive destroy and create, so that firewall rules and agents keep them: the database node and the internal load balancer in each zone."
  value = {
    database = { for zone, cidr in local.private_subnets : zone => cidrhost(cidr, 10) }
    internal = { for zone, cidr in local.private_subnets : zone => cidrhost(cidr, 20) }
  }
}

output "asn" {
  description = "The two autonomous system numbers of the tunnel."
  value       = { amazon = var.amazon_side_asn, onprem = var.onprem_asn }

  precondition {
    condition     = var.amazon_side_asn != var.onprem_asn
    error_message = "Both sides use the same autonomous system number ${var.onprem_asn}: a BGP session between equal numbers is internal and never comes up. Change onprem_asn, the lab's value is 65000."
  }
}

output "customer_gateway_ip" {
  description = "The public address that the customer gateway is registered with."
  value       = var.customer_gateway_ip
}

output "eks_version" {
  description = "The checked Kubernetes version."
  value       = var.eks_version

  precondition {
    condition     = local.support_ends != null
    error_message = "The end of standard support of Kubernetes ${var.eks_version} is not in eks_standard_support_ends. Look it up at AWS and add it, or choose one of: ${join(", ", keys(var.eks_standard_support_ends))}."
  }

  precondition {
    condition     = local.upgrade_by == null ? true : timecmp(local.today, local.upgrade_by) < 0
    error_message = "Standard support of Kubernetes ${var.eks_version} ends on ${coalesce(local.support_ends, "an unknown day")}, less than ${var.eks_days_ahead} days from ${formatdate("YYYY-MM-DD", local.today)}. Extended support costs 365 USD a month more: set eks_version to a newer version."
  }
}

output "nat_gateways" {
  description = "How many NAT gateways the network will have."
  value       = local.nat_gateways

  precondition {
    condition     = local.nat_gateways <= var.nat_gateways_max[var.profile]
    error_message = "nat_mode ${var.nat_mode} makes ${local.nat_gateways} NAT gateways, the budget of profile ${var.profile} carries ${var.nat_gateways_max[var.profile]}. Set nat_mode to single, or raise nat_gateways_max knowing that each costs 46.72 USD a month."
  }
}
