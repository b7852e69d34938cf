output "database" {
  description = "Database nodes: instance ids and fixed addresses by name."
  value       = { instance_ids = module.ec2.instance_ids, addresses = local.members }
}

output "database_secret_arn" {
  description = "Secret with the passwords."
  value       = aws_secretsmanager_secret.database.arn
}

output "user_data" {
  description = "Rendered user data by node, for reading."
  value       = { for name, part in module.agent_user_data : name => part.rendered }
}

output "schedules" {
  description = "When the nodes sleep and wake."
  value       = { for key, part in module.hibernation : key => part.schedules }
}
