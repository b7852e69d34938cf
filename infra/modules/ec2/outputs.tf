output "instance_ids" {
  description = "Instances by node name."
  value       = { for name, instance in aws_instance.this : name => instance.id }
}

output "private_ips" {
  description = "Fixed addresses by node name."
  value       = { for name, node in var.nodes : name => node.private_ip }
}

output "role_name" {
  description = "Role of the nodes, for further rights."
  value       = aws_iam_role.node.name
}
