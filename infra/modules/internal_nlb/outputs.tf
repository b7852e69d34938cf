output "addresses" {
  description = "Fixed addresses by zone."
  value       = { for zone, subnet in var.subnets : zone => subnet.private_ip }
}

output "dns_name" {
  description = "Name of the balancer."
  value       = aws_lb.this.dns_name
}

output "telemetry_target_group_arns" {
  description = "Groups that the collector's pods join, by protocol."
  value       = { for name, group in aws_lb_target_group.telemetry : name => group.arn }
}

output "health_check" {
  description = "How the database is asked; the proof's stand-in polls the same way."
  value       = merge(var.health_check, { port = 8008, primary = local.database.primary.path, replica = local.database.replica.path })
}

output "alarm_names" {
  description = "Alarms that are muted while the lab sleeps."
  value       = [aws_cloudwatch_metric_alarm.no_leader.alarm_name]
}
