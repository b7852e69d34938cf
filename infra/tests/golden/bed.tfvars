# The beds: addresses of the namespaces, keys made by the bed, no watchdog device and no spare disk.
vpn = {
  name                = "bed"
  vpc_cidr            = "10.20.0.0/16"
  onprem_cidrs        = { lan = "172.16.4.0/24", developers = "172.16.60.0/24" }
  onprem_summary_cidr = "172.16.0.0/18"
  public_ip           = "203.0.113.1"
  wan_address         = "100.64.0.2"
  tunnels = [
    { address = "203.0.113.11", inside_cidr = "169.254.10.0/30" },
    { address = "203.0.113.12", inside_cidr = "169.254.11.0/30" },
  ]
  wireguard = {
    endpoint   = "203.0.113.2"
    port       = 51821
    public_key = "WIREGUARDGATEWAYPUBLICKEYISMADEBYTHEBEDAAAA="
  }
  wireguard_users = {
    laptop-1 = { public_key = "WIREGUARDLAPTOPPUBLICKEYISMADEBYTHEBEDAAAAA=", host = 3 }
  }
}

database = {
  members           = { vm-db01 = "10.77.0.11", vm-db02 = "10.77.0.12", vm-db03 = "10.77.0.13" }
  scope             = "bed"
  client_cidrs      = ["10.77.0.0/24"]
  timing            = { ttl = 20, loop_wait = 2, retry_timeout = 3 }
  watchdog          = "off"
  data_disk         = "none"
  secret            = { file = "/etc/skybridge/database-secrets.json" }
  shared_buffers_mb = 32
}

agent = {
  place         = "onprem"
  otlp_endpoint = "http://10.77.0.1:4317"
  attributes    = { "deployment.environment.name" = "bed" }
  artifact      = null
}
