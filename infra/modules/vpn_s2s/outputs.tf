output "connection_id" {
  description = "The connection."
  value       = aws_vpn_connection.this.id
}

output "tunnels" {
  description = "What the vpn module renders from: outer address and inside range of each tunnel."
  value = [
    { address = aws_vpn_connection.this.tunnel1_address, inside_cidr = var.inside_cidrs[0] },
    { address = aws_vpn_connection.this.tunnel2_address, inside_cidr = var.inside_cidrs[1] },
  ]
}

output "preshared_key_arn" {
  description = "Secret with both keys; only the render target reads it."
  value       = aws_vpn_connection.this.preshared_key_arn
}

output "alarm_names" {
  description = "Alarms that are muted while the lab sleeps."
  value       = concat([for alarm in aws_cloudwatch_metric_alarm.tunnel : alarm.alarm_name], [aws_cloudwatch_metric_alarm.all_down.alarm_name])
}
