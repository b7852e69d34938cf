variables {
  name                = "lab"
  vpc_id              = "vpc-1"
  route_table_ids     = { a = "rtb-1", b = "rtb-2", c = "rtb-3" }
  customer_gateway_ip = "203.0.113.7"
  onprem_cidrs        = { lan = "172.16.4.0/24", developers = "172.16.60.0/24" }
  topic_arn           = "arn:aws:sns:ap-northeast-2:123456789012:lab"
}

run "the_labs_connection" {
  command = plan

  assert {
    condition     = length(aws_vpn_connection_route.this) == 2
    error_message = "Exactly two static routes."
  }
  assert {
    condition     = aws_vpn_connection.this.tunnel1_ike_versions == toset(["ikev2"]) && aws_vpn_connection.this.tunnel2_ike_versions == toset(["ikev2"])
    error_message = "IKEv2 only."
  }
  assert {
    condition     = aws_vpn_connection.this.tunnel1_startup_action == "add" && aws_vpn_connection.this.tunnel1_dpd_timeout_action == "clear"
    error_message = "AWS waits: it cannot dial in through NAT."
  }
  assert {
    condition     = aws_vpn_connection.this.preshared_key_storage == "SecretsManager" && aws_vpn_connection.this.static_routes_only
    error_message = "Keys in Secrets Manager, static routes."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.tunnel : alarm.treat_missing_data == "breaching" && alarm.metric_name == "TunnelState"]) && length(aws_cloudwatch_metric_alarm.tunnel) == 2
    error_message = "An alarm per tunnel that takes silence for failure."
  }
  assert {
    condition     = length(aws_vpn_gateway_route_propagation.this) == 3
    error_message = "All private tables learn the routes."
  }
}

run "bgp_has_no_static_route" {
  command = plan
  variables {
    routing = "bgp"
  }
  assert {
    condition     = length(aws_vpn_connection_route.this) == 0 && !aws_vpn_connection.this.static_routes_only
    error_message = "Routes are learnt."
  }
}

run "a_reserved_inside_range_is_refused" {
  command = plan
  variables {
    inside_cidrs = ["169.254.169.252/30", "169.254.11.0/30"]
  }
  expect_failures = [var.inside_cidrs]
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name                    = "X"
    vpc_id                  = ""
    route_table_ids         = {}
    customer_gateway_ip     = "here"
    onprem_cidrs            = {}
    routing                 = "rip"
    asn                     = { amazon = 1, onprem = 1 }
    inside_cidrs            = ["169.254.10.0/30"]
    dpd_timeout_seconds     = 10
    phase1_lifetime_seconds = 60
    phase2_lifetime_seconds = 60
    log_retention_days      = 365
    topic_arn               = ""
    tags                    = { "aws:x" = "y" }
  }
  expect_failures = [
    var.name, var.vpc_id, var.route_table_ids, var.customer_gateway_ip, var.onprem_cidrs, var.routing, var.asn, var.inside_cidrs,
    var.dpd_timeout_seconds, var.phase1_lifetime_seconds, var.phase2_lifetime_seconds, var.log_retention_days, var.topic_arn, var.tags,
  ]
}
