# The one file to edit. The values are the lab's, with addresses from the documentation ranges where
# the lab's own must be filled in.

project = "skybridge"
owner   = "team-4"
ttl     = "30d"
profile = "soft"

# The bucket that `make bootstrap` printed.
state_location = "skybridge-state-123456789012"

onprem_cidrs = {
  lan        = "172.16.4.0/24"
  developers = "172.16.60.0/24"
}
foreign_cidrs = {
  team_1 = "172.16.1.0/24"
  team_2 = "172.16.2.0/24"
  team_3 = "172.16.3.0/24"
  team_5 = "172.16.5.0/24"
  docker = "172.17.0.0/16"
}

customer_gateway_ip  = "203.0.113.7"
firewall_wan_address = "192.168.0.9"

wireguard = {
  endpoint   = "192.168.0.9"
  port       = 51821
  public_key = "aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gMDE="
}
wireguard_users = {
  laptop-1 = { public_key = "bGFwdG9wIGxhcHRvcCBsYXB0b3AgbGFwdG9wIGxhcDE=", host = 3 }
}

alert_emails   = ["team-4@example.com"]
eks_admin_arns = ["arn:aws:iam::123456789012:role/admin"]

database = {
  ami_id    = "ami-0123456789abcdef0"
  bootstrap = "agent"
}
