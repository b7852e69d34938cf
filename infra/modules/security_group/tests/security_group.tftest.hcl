variables {
  name   = "lab"
  vpc_id = "vpc-1"
  groups = {
    database = {
      description = "Database nodes"
      ingress = {
        postgresql_lan = { description = "PostgreSQL from the lab", from_port = 5432, cidr = "172.16.4.0/24" }
        etcd_peer      = { description = "etcd between members", from_port = 2380, group = "database" }
      }
    }
    web = {
      description = "Load balancer"
      ingress     = { https = { description = "Web", from_port = 443, cidr = "0.0.0.0/0" } }
    }
  }
}

run "rules_follow_the_map" {
  command = plan

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.this) == 3
    error_message = "Three rules."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.this["database/etcd_peer"].cidr_ipv4 == null
    error_message = "Members reach each other by group, not by address."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.this["database/postgresql_lan"].to_port == 5432
    error_message = "One port unless a range is given."
  }
}

run "a_public_ssh_rule_is_refused" {
  command = plan
  variables {
    groups = {
      database = {
        description = "Database nodes"
        ingress     = { ssh = { description = "SSH", from_port = 22, cidr = "0.0.0.0/0" } }
      }
    }
  }
  expect_failures = [var.groups]
}

run "a_public_range_that_hides_ssh_is_refused" {
  command = plan
  variables {
    groups = {
      web = {
        description = "Load balancer"
        ingress     = { all = { description = "All", from_port = 80, to_port = 65535, cidr = "0.0.0.0/0" } }
      }
    }
  }
  expect_failures = [var.groups]
}

run "a_rule_without_a_source_is_refused" {
  command = plan
  variables {
    groups = {
      web = { description = "x", ingress = { https = { description = "Web", from_port = 443 } } }
    }
  }
  expect_failures = [var.groups]
}

run "an_unknown_group_is_refused" {
  command = plan
  variables {
    groups = {
      web = { description = "x", ingress = { https = { description = "Web", from_port = 443, group = "nobody" } } }
    }
  }
  expect_failures = [var.groups]
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name   = "X"
    vpc_id = ""
    tags   = { "aws:x" = "y" }
    groups = {
      web = { description = "x", ingress = { https = { description = "Web", from_port = 443, cidr = "here" } } }
    }
  }
  expect_failures = [var.name, var.vpc_id, var.tags, var.groups]
}
