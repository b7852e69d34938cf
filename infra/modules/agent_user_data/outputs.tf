output "rendered" {
  description = "The cloud-config as text."
  value       = local.rendered

  precondition {
    condition     = length(base64gzip(local.rendered)) <= 16384 * 4 / 3
    error_message = "The user data of ${var.hostname} exceeds 16 KiB compressed, which EC2 refuses: move files into the artifact bucket."
  }
}

output "base64" {
  description = "The cloud-config compressed and in base64, as an instance takes it."
  value       = base64gzip(local.rendered)
}
