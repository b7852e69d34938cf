output "files" {
  description = "Files for the node's user data."
  value       = local.files
}

output "commands" {
  description = "Commands for the node's user data."
  value       = local.commands
}

output "with_agent" {
  description = "Whether the node gets the agent."
  value       = var.mode != "none"
}
