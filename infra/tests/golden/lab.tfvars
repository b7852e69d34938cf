vpn = {
  name                = "skybridge"
  vpc_cidr            = "10.0.0.0/16"
  onprem_cidrs        = { lan = "172.16.4.0/24", developers = "172.16.60.0/24" }
  onprem_summary_cidr = "172.16.0.0/18"
  public_ip           = "203.0.113.7"
  wan_address         = "192.168.0.9"
  tunnels = [
    { address = "198.51.100.11", inside_cidr = "169.254.10.0/30" },
    { address = "198.51.100.12", inside_cidr = "169.254.11.0/30" },
  ]
  wireguard = {
    endpoint   = "192.168.0.9"
    port       = 51821
    public_key = "aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8gMDE="
  }
  wireguard_users = {
    laptop-1 = { public_key = "bGFwdG9wIGxhcHRvcCBsYXB0b3AgbGFwdG9wIGxhcDE=", host = 3 }
  }
}

database = {
  members           = { vm-db01 = "10.0.16.10", vm-db02 = "10.0.32.10", vm-db03 = "10.0.48.10" }
  scope             = "skybridge"
  client_cidrs      = ["10.0.0.0/16", "172.16.4.0/24", "172.16.60.0/24"]
  timing            = { ttl = 30, loop_wait = 10, retry_timeout = 10 }
  watchdog          = "required"
  data_disk         = "auto"
  secret            = { arn = "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:skybridge/database-AbCdEf", region = "ap-northeast-2" }
  shared_buffers_mb = 1024
}

agent = {
  place         = "aws"
  otlp_endpoint = "http://10.0.16.20:4317"
  attributes    = { "deployment.environment.name" = "dev" }
  artifact = {
    bucket = "skybridge-artifacts-123456789012"
    key    = "skybridge"
    region = "ap-northeast-2"
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  }
}
