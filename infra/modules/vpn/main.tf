locals {
  developers_cidr = lookup(var.onprem_cidrs, "developers", null)

  # In each inside /30 AWS takes the first address and the customer the second.
  tunnels = [
    for index, tunnel in var.tunnels : merge(tunnel, {
      number = index + 1
      name   = "${var.name}-${index + 1}"
      near   = cidrhost(tunnel.inside_cidr, 2)
      far    = cidrhost(tunnel.inside_cidr, 1)
      # The key is joined in at render time: it must never pass through state or plan output.
      key = "@PRESHARED_KEY_${index + 1}@"
    })
  ]

  template = {
    name             = var.name
    tunnels          = local.tunnels
    public_ip        = var.public_ip
    wan_address      = var.wan_address
    vpc_cidr         = var.vpc_cidr
    onprem_cidrs     = var.onprem_cidrs
    onprem_summary   = var.onprem_summary_cidr
    developers_cidr  = local.developers_cidr
    phase1_seconds   = var.phase1_lifetime_seconds
    phase2_seconds   = var.phase2_lifetime_seconds
    routing          = var.routing
    asn              = var.asn
    mss              = var.mss
    linux_mode       = var.linux_gateway_mode
    wireguard        = var.wireguard
    wireguard_users  = var.wireguard_users
    developers_first = local.developers_cidr == null ? "" : cidrhost(local.developers_cidr, 1)
    developers_bits  = local.developers_cidr == null ? "" : split("/", local.developers_cidr)[1]
  }

  wireguard_routes = concat(
    local.developers_cidr == null ? [] : [local.developers_cidr],
    [var.onprem_cidrs["lan"], var.vpc_cidr],
  )

  first = { for name, cidr in merge(var.onprem_cidrs, { summary = var.onprem_summary_cidr }) : name => sum([
    for position, octet in split(".", cidrhost(cidr, 0)) : tonumber(octet) * pow(256, 3 - position)
  ]) }
  size = { for name, cidr in merge(var.onprem_cidrs, { summary = var.onprem_summary_cidr }) : name => pow(2, 32 - tonumber(split("/", cidr)[1])) }
  uncovered = [
    for name, cidr in var.onprem_cidrs : "${name} (${cidr})"
    if local.first[name] < local.first["summary"] || local.first[name] + local.size[name] > local.first["summary"] + local.size["summary"]
  ]
}
