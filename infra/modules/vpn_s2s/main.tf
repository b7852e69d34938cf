# The whole module lives in the network stack and is never destroyed by night: a new connection has
# new addresses and keys, and the firewall would have to be set up again every morning.

resource "aws_vpn_gateway" "this" {
  vpc_id          = var.vpc_id
  amazon_side_asn = tostring(var.asn.amazon)

  tags = merge(var.tags, { Name = var.name })
}

resource "aws_vpn_gateway_route_propagation" "this" {
  for_each = var.route_table_ids

  vpn_gateway_id = aws_vpn_gateway.this.id
  route_table_id = each.value
}

resource "aws_customer_gateway" "this" {
  device_name = "${var.name}-firewall"
  bgp_asn     = tostring(var.asn.onprem)
  ip_address  = var.customer_gateway_ip
  type        = "ipsec.1"

  tags = merge(var.tags, { Name = var.name })
}

resource "aws_cloudwatch_log_group" "tunnel" {
  name              = "/aws/vpn/${var.name}"
  retention_in_days = var.log_retention_days

  tags = var.tags
}

resource "aws_vpn_connection" "this" {
  vpn_gateway_id      = aws_vpn_gateway.this.id
  customer_gateway_id = aws_customer_gateway.this.id
  type                = "ipsec.1"
  static_routes_only  = var.routing == "static"

  # The keys are made by AWS and kept in Secrets Manager; the render target reads them from there.
  preshared_key_storage = "SecretsManager"

  tunnel1_inside_cidr                     = var.inside_cidrs[0]
  tunnel1_ike_versions                    = ["ikev2"]
  tunnel1_phase1_encryption_algorithms    = ["AES256-GCM-16", "AES256"]
  tunnel1_phase1_integrity_algorithms     = ["SHA2-384", "SHA2-256"]
  tunnel1_phase1_dh_group_numbers         = [20, 14]
  tunnel1_phase1_lifetime_seconds         = var.phase1_lifetime_seconds
  tunnel1_phase2_encryption_algorithms    = ["AES256-GCM-16"]
  tunnel1_phase2_dh_group_numbers         = [20, 14]
  tunnel1_phase2_lifetime_seconds         = var.phase2_lifetime_seconds
  tunnel1_dpd_timeout_action              = "clear"
  tunnel1_dpd_timeout_seconds             = var.dpd_timeout_seconds
  tunnel1_startup_action                  = "add"
  tunnel1_enable_tunnel_lifecycle_control = true

  tunnel1_log_options {
    cloudwatch_log_options {
      log_enabled       = true
      log_group_arn     = aws_cloudwatch_log_group.tunnel.arn
      log_output_format = "json"
    }
  }

  tunnel2_inside_cidr                     = var.inside_cidrs[1]
  tunnel2_ike_versions                    = ["ikev2"]
  tunnel2_phase1_encryption_algorithms    = ["AES256-GCM-16", "AES256"]
  tunnel2_phase1_integrity_algorithms     = ["SHA2-384", "SHA2-256"]
  tunnel2_phase1_dh_group_numbers         = [20, 14]
  tunnel2_phase1_lifetime_seconds         = var.phase1_lifetime_seconds
  tunnel2_phase2_encryption_algorithms    = ["AES256-GCM-16"]
  tunnel2_phase2_dh_group_numbers         = [20, 14]
  tunnel2_phase2_lifetime_seconds         = var.phase2_lifetime_seconds
  tunnel2_dpd_timeout_action              = "clear"
  tunnel2_dpd_timeout_seconds             = var.dpd_timeout_seconds
  tunnel2_startup_action                  = "add"
  tunnel2_enable_tunnel_lifecycle_control = true

  tunnel2_log_options {
    cloudwatch_log_options {
      log_enabled       = true
      log_group_arn     = aws_cloudwatch_log_group.tunnel.arn
      log_output_format = "json"
    }
  }

  tags = merge(var.tags, { Name = var.name })
}

resource "aws_vpn_connection_route" "this" {
  for_each = var.routing == "static" ? var.onprem_cidrs : {}

  vpn_connection_id      = aws_vpn_connection.this.id
  destination_cidr_block = each.value
}

locals {
  tunnels = {
    "1" = aws_vpn_connection.this.tunnel1_address
    "2" = aws_vpn_connection.this.tunnel2_address
  }
}

# TunnelState is 0 or 1. Bytes are no sign of life: status checks count even on a dead tunnel.
resource "aws_cloudwatch_metric_alarm" "tunnel" {
  for_each = local.tunnels

  alarm_name          = "${var.name}-vpn-tunnel-${each.key}-down"
  alarm_description   = "Tunnel ${each.key} is down; the other one carries the traffic. Runbook: infra/README.md, The tunnel."
  namespace           = "AWS/VPN"
  metric_name         = "TunnelState"
  dimensions          = { VpnId = aws_vpn_connection.this.id, TunnelIpAddress = each.value }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "all_down" {
  alarm_name          = "${var.name}-vpn-down"
  alarm_description   = "Both tunnels are down: the lab and AWS do not reach each other. Runbook: infra/README.md, The tunnel."
  namespace           = "AWS/VPN"
  metric_name         = "TunnelState"
  dimensions          = { VpnId = aws_vpn_connection.this.id }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]

  tags = var.tags
}
