output "dns_name" {
  description = "Name under which the application is reached."
  value       = aws_lb.this.dns_name
}

output "target_group_arn" {
  description = "Group that the application's pods join through a TargetGroupBinding."
  value       = aws_lb_target_group.app.arn
}
