output "collector_role_arn" {
  description = "Role of the collector's pods."
  value       = aws_iam_role.collector.arn
}

output "log_group_names" {
  description = "Groups that the collector may write to."
  value       = sort([for group in aws_cloudwatch_log_group.this : group.name])
}

output "alarm_names" {
  description = "Alarms that are muted while the lab sleeps."
  value       = [aws_cloudwatch_metric_alarm.series.alarm_name]
}
