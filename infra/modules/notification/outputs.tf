output "topic_arn" {
  description = "The topic that alarms and budgets speak to."
  value       = aws_sns_topic.this.arn
}
