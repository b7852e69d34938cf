output "files" {
  description = "Every rendered file by its path under rendered/. Keys appear as @...@ marks; the render target joins them in."
  value = merge(
    {
      "pfsense/ipsec.xml"       = templatefile("${path.module}/templates/pfsense.xml.tftpl", local.template)
      "swanctl/gateway.conf"    = templatefile("${path.module}/templates/gateway.conf.tftpl", local.template)
      "swanctl/strongswan.conf" = templatefile("${path.module}/templates/strongswan.conf.tftpl", local.template)
      "swanctl/far-end.conf"    = templatefile("${path.module}/templates/far-end.conf.tftpl", local.template)
      "wireguard/gateway.conf"  = templatefile("${path.module}/templates/wireguard-gateway.conf.tftpl", local.template)
      "network-admin/ko.md"     = templatefile("${path.module}/templates/checklist.ko.md.tftpl", local.template)
      "network-admin/en.md"     = templatefile("${path.module}/templates/checklist.en.md.tftpl", local.template)
      "pfsense/steps.md"        = templatefile("${path.module}/templates/pfsense-steps.md.tftpl", local.template)
    },
    {
      for user, entry in var.wireguard_users :
      "wireguard/${user}.conf" => templatefile("${path.module}/templates/wireguard-user.conf.tftpl", merge(local.template, {
        user    = user
        address = local.developers_cidr == null ? "" : cidrhost(local.developers_cidr, entry.host)
        routes  = local.wireguard_routes
      }))
    },
  )

  precondition {
    condition     = length(local.uncovered) == 0
    error_message = "onprem_summary_cidr ${var.onprem_summary_cidr} does not cover ${join(", ", local.uncovered)}. A tunnel carries one selector pair, so widen the summary until it covers every on-prem range."
  }

  precondition {
    condition     = length(distinct([for tunnel in var.tunnels : tunnel.inside_cidr])) == 2
    error_message = "Both tunnels use the same inside_cidr. Give each tunnel a /30 of its own."
  }

  precondition {
    condition     = length(var.wireguard_users) == 0 || local.developers_cidr != null
    error_message = "There are WireGuard users but no range for them: add developers to onprem_cidrs."
  }
}

output "marks" {
  description = "The marks that the render target must replace, so that a missing key is noticed."
  value = concat(
    [for tunnel in local.tunnels : tunnel.key],
    ["@WIREGUARD_PRIVATE_KEY@"],
  )
}
