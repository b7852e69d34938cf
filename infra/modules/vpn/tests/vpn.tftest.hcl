variables {
  vpc_cidr     = "10.0.0.0/16"
  onprem_cidrs = { lan = "172.16.4.0/24", developers = "172.16.60.0/24" }
  public_ip    = "203.0.113.7"
  wan_address  = "192.168.0.9"
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
    minji = { public_key = "bGFwdG9wIGxhcHRvcCBsYXB0b3AgbGFwdG9wIGxhcDE=", host = 3 }
  }
}

run "the_lab_renders" {
  command = plan

  assert {
    condition     = length(regexall("<phase1>", output.files["pfsense/ipsec.xml"])) == 2 && length(regexall("<phase2>", output.files["pfsense/ipsec.xml"])) == 2
    error_message = "Exactly one phase 2 per tunnel."
  }
  assert {
    condition     = length(regexall("<mode>vti</mode>", output.files["pfsense/ipsec.xml"])) == 2
    error_message = "Both tunnels are route-based."
  }
  assert {
    condition     = length(regexall("<myid_data>203.0.113.7</myid_data>", output.files["pfsense/ipsec.xml"])) == 2
    error_message = "Behind NAT the firewall calls itself by the public address."
  }
  assert {
    condition     = strcontains(output.files["wireguard/minji.conf"], "AllowedIPs = 172.16.60.0/24, 172.16.4.0/24, 10.0.0.0/16")
    error_message = "The lab's three ranges go through WireGuard."
  }
  assert {
    condition     = strcontains(output.files["wireguard/minji.conf"], "Address = 172.16.60.3/32")
    error_message = "Host 3 of the developers' range."
  }
  assert {
    condition     = length(regexall("local_ts = 172.16.0.0/18", output.files["swanctl/gateway.conf"])) == 2
    error_message = "One selector pair per tunnel, the summary."
  }
  assert {
    condition     = alltrue([for path in ["pfsense/ipsec.xml", "swanctl/gateway.conf"] : strcontains(output.files[path], "@PRESHARED_KEY_1@") && strcontains(output.files[path], "@PRESHARED_KEY_2@")])
    error_message = "Keys are marks until the render target joins them in."
  }
  assert {
    condition     = strcontains(output.files["network-admin/ko.md"], "UDP 4500") && strcontains(output.files["network-admin/en.md"], "UDP 51821")
    error_message = "Both checklists name the ports."
  }
}

run "bgp_names_both_numbers" {
  command = plan
  variables {
    routing = "bgp"
  }
  assert {
    condition     = strcontains(output.files["pfsense/steps.md"], "65000") && strcontains(output.files["pfsense/steps.md"], "64512")
    error_message = "Both numbers appear in the steps."
  }
}

run "a_route_based_gateway_selects_everything" {
  command = plan
  variables {
    linux_gateway_mode = "xfrm"
  }
  assert {
    condition     = length(regexall("if_id_out = [12]", output.files["swanctl/gateway.conf"])) == 2
    error_message = "Each tunnel has its interface number."
  }
}

run "a_firewall_behind_nat_needs_its_public_address" {
  command = plan
  variables {
    public_ip = "192.168.0.9"
  }
  expect_failures = [var.public_ip]
}

run "a_summary_that_forgets_a_range_is_refused" {
  command = plan
  variables {
    onprem_summary_cidr = "172.16.0.0/20"
  }
  expect_failures = [output.files]
}

run "one_tunnel_is_refused" {
  command = plan
  variables {
    tunnels = [{ address = "198.51.100.11", inside_cidr = "169.254.10.0/30" }]
  }
  expect_failures = [var.tunnels]
}

run "a_wide_inside_range_is_refused" {
  command = plan
  variables {
    tunnels = [
      { address = "198.51.100.11", inside_cidr = "169.254.10.0/29" },
      { address = "198.51.100.12", inside_cidr = "169.254.11.0/30" },
    ]
  }
  expect_failures = [var.tunnels]
}

run "one_inside_range_for_two_tunnels_is_refused" {
  command = plan
  variables {
    tunnels = [
      { address = "198.51.100.11", inside_cidr = "169.254.10.0/30" },
      { address = "198.51.100.12", inside_cidr = "169.254.10.0/30" },
    ]
  }
  expect_failures = [output.files]
}

run "users_without_a_range_are_refused" {
  command = plan
  variables {
    onprem_cidrs    = { lan = "172.16.4.0/24" }
    wireguard_users = {}
  }
  assert {
    condition     = !strcontains(output.files["wireguard/gateway.conf"], "[Peer]")
    error_message = "No users, no peers."
  }
}

run "two_users_on_one_address_are_refused" {
  command = plan
  variables {
    wireguard_users = {
      minji = { public_key = "bGFwdG9wIGxhcHRvcCBsYXB0b3AgbGFwdG9wIGxhcDE=", host = 3 }
      junho = { public_key = "bGFwdG9wIGxhcHRvcCBsYXB0b3AgbGFwdG9wIGxhcDI=", host = 3 }
    }
  }
  expect_failures = [var.wireguard_users]
}

run "a_key_that_is_none_is_refused" {
  command = plan
  variables {
    wireguard_users = { minji = { public_key = "secret", host = 3 } }
  }
  expect_failures = [var.wireguard_users]
}

run "values_out_of_range_are_refused" {
  command = plan
  variables {
    name                    = "Has Blank"
    vpc_cidr                = "ten"
    onprem_summary_cidr     = "all"
    wan_address             = "wan"
    routing                 = "rip"
    asn                     = { amazon = 65000, onprem = 65000 }
    linux_gateway_mode      = "vti"
    mss                     = 1400
    phase1_lifetime_seconds = 30000
    phase2_lifetime_seconds = 600
    onprem_cidrs            = { office = "172.16.4.0/24" }
    wireguard               = { endpoint = "a:1", port = 22, public_key = "short" }
  }
  expect_failures = [
    var.name,
    var.vpc_cidr,
    var.onprem_summary_cidr,
    var.wan_address,
    var.routing,
    var.asn,
    var.linux_gateway_mode,
    var.mss,
    var.phase1_lifetime_seconds,
    var.phase2_lifetime_seconds,
    var.onprem_cidrs,
    var.wireguard,
  ]
}
