variables {
  vpc_cidr            = "10.0.0.0/16"
  onprem_cidrs        = { lan = "172.16.4.0/24", developers = "172.16.60.0/24" }
  foreign_cidrs       = { team_1 = "172.16.1.0/24", team_2 = "172.16.2.0/24", docker = "172.17.0.0/16" }
  availability_zones  = ["ap-northeast-2a", "ap-northeast-2b", "ap-northeast-2c"]
  customer_gateway_ip = "203.0.113.7"
  today               = "2026-11-24"
}

run "the_lab_passes" {
  command = plan

  assert {
    condition     = output.subnets.public["ap-northeast-2b"] == "10.0.1.0/24"
    error_message = "The second public subnet must be 10.0.1.0/24."
  }
  assert {
    condition     = output.subnets.private["ap-northeast-2c"] == "10.0.48.0/20"
    error_message = "The third private subnet must be 10.0.48.0/20."
  }
  assert {
    condition     = output.fixed_addresses.database["ap-northeast-2a"] == "10.0.16.10"
    error_message = "The first database node must keep 10.0.16.10."
  }
  assert {
    condition     = output.fixed_addresses.internal["ap-northeast-2a"] == "10.0.16.20"
    error_message = "The balancer must keep 10.0.16.20, beside the node."
  }
  assert {
    condition     = output.nat_gateways == 1
    error_message = "The lab has one NAT gateway."
  }
}

run "no_public_subnet_lies_in_a_private_one" {
  command = plan

  assert {
    condition = length(setintersection(
      [for cidr in values(output.subnets.public) : cidrsubnet("${cidrhost(cidr, 0)}/20", 0, 0)],
      values(output.subnets.private),
    )) == 0
    error_message = "A public subnet lies inside a private one."
  }
}

run "a_vpc_over_the_lan_is_refused" {
  command = plan
  variables {
    vpc_cidr = "172.16.0.0/16"
  }
  expect_failures = [output.subnets]
}

run "another_teams_range_is_refused" {
  command = plan
  variables {
    onprem_cidrs = { lan = "172.16.0.0/22" }
  }
  expect_failures = [output.subnets]
}

run "services_over_the_vpc_are_refused" {
  command = plan
  variables {
    service_cidr = "10.0.128.0/20"
  }
  expect_failures = [output.subnets]
}

run "pods_over_services_are_refused" {
  command = plan
  variables {
    pod_cidr = "10.96.0.0/12"
  }
  expect_failures = [output.subnets]
}

run "neighbours_that_only_touch_pass" {
  command = plan
  variables {
    onprem_cidrs  = { lan = "172.16.4.0/24", developers = "172.16.60.0/24", next = "172.16.5.0/24" }
    foreign_cidrs = { team_1 = "172.16.3.0/24" }
  }
  assert {
    condition     = output.nat_gateways == 1
    error_message = "Touching ranges must not count as overlapping."
  }
}

run "a_range_with_host_bits_is_refused" {
  command = plan
  variables {
    onprem_cidrs = { lan = "172.16.4.7/24" }
  }
  expect_failures = [output.subnets]
}

run "equal_numbers_are_refused" {
  command = plan
  variables {
    onprem_asn = 64512
  }
  expect_failures = [output.asn]
}

run "a_public_asn_is_refused" {
  command = plan
  variables {
    onprem_asn = 4766
  }
  expect_failures = [var.onprem_asn]
}

run "a_public_amazon_asn_is_refused" {
  command = plan
  variables {
    amazon_side_asn = 16509
  }
  expect_failures = [var.amazon_side_asn]
}

run "two_zones_are_refused" {
  command = plan
  variables {
    availability_zones = ["ap-northeast-2a", "ap-northeast-2b"]
  }
  expect_failures = [var.availability_zones]
}

run "a_zone_named_twice_is_refused" {
  command = plan
  variables {
    availability_zones = ["ap-northeast-2a", "ap-northeast-2b", "ap-northeast-2b"]
  }
  expect_failures = [var.availability_zones]
}

run "a_local_zone_is_refused" {
  command = plan
  variables {
    availability_zones = ["ap-northeast-2a", "ap-northeast-2b", "ap-northeast-2-sel-1a"]
  }
  expect_failures = [var.availability_zones]
}

run "an_expired_version_is_refused" {
  command = plan
  variables {
    eks_version = "1.34"
  }
  expect_failures = [output.eks_version]
}

run "an_unknown_version_is_refused" {
  command = plan
  variables {
    eks_version = "1.99"
  }
  expect_failures = [output.eks_version]
}

run "the_last_good_day_passes" {
  command = plan
  variables {
    today = "2027-01-25"
  }
  assert {
    condition     = output.eks_version == "1.35"
    error_message = "Sixty-one days before the end is early enough."
  }
}

run "sixty_days_ahead_is_refused" {
  command = plan
  variables {
    today = "2027-01-26"
  }
  expect_failures = [output.eks_version]
}

run "a_firewall_behind_nat_needs_its_public_address" {
  command = plan
  variables {
    customer_gateway_ip = "192.168.0.9"
  }
  expect_failures = [var.customer_gateway_ip]
}

run "a_carrier_grade_address_is_refused" {
  command = plan
  variables {
    customer_gateway_ip = "100.72.1.1"
  }
  expect_failures = [var.customer_gateway_ip]
}

run "a_range_is_no_gateway_address" {
  command = plan
  variables {
    customer_gateway_ip = "203.0.113.0/24"
  }
  expect_failures = [var.customer_gateway_ip]
}

run "a_nat_gateway_in_each_zone_is_over_budget" {
  command = plan
  variables {
    nat_mode = "per_az"
  }
  expect_failures = [output.nat_gateways]
}

run "a_raised_limit_allows_them" {
  command = plan
  variables {
    nat_mode         = "per_az"
    nat_gateways_max = { always = 3, soft = 3, lab = 3 }
  }
  assert {
    condition     = output.nat_gateways == 3
    error_message = "One gateway in each of three zones."
  }
}

run "a_small_vpc_is_refused" {
  command = plan
  variables {
    vpc_cidr = "10.0.0.0/20"
  }
  expect_failures = [var.vpc_cidr]
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    onprem_cidrs              = {}
    foreign_cidrs             = { team = "somewhere" }
    service_cidr              = "10.100.0.0/8"
    pod_cidr                  = "pods"
    eks_version               = "latest"
    eks_standard_support_ends = { "1.35" = "March" }
    eks_days_ahead            = 400
    today                     = "yesterday"
    profile                   = "cheap"
    nat_mode                  = "two"
    nat_gateways_max          = { always = 1 }
  }
  expect_failures = [
    var.onprem_cidrs,
    var.foreign_cidrs,
    var.service_cidr,
    var.pod_cidr,
    var.eks_version,
    var.eks_standard_support_ends,
    var.eks_days_ahead,
    var.today,
    var.profile,
    var.nat_mode,
    var.nat_gateways_max,
  ]
}
