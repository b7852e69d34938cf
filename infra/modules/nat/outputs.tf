output "public_ips" {
  description = "Addresses under which the private subnets appear outside, by the gateway's zone."
  value       = { for zone, address in aws_eip.this : zone => address.public_ip }
}
