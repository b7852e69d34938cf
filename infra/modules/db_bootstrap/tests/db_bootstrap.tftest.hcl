variables {
  mode         = "full"
  node         = "vm-db01"
  members      = { vm-db01 = "10.0.16.10", vm-db02 = "10.0.32.10", vm-db03 = "10.0.48.10" }
  client_cidrs = ["10.0.0.0/16", "172.16.4.0/24"]
}

run "full_brings_everything" {
  command = plan

  assert {
    condition     = length(output.files) == 7
    error_message = "Seven files."
  }
  assert {
    condition     = yamldecode(one([for file in output.files : file.content if file.path == "/etc/patroni/patroni.yml"])).etcd3.hosts == "10.0.16.10:2379,10.0.32.10:2379,10.0.48.10:2379"
    error_message = "Patroni knows all members, by the v3 interface."
  }
  assert {
    condition     = yamldecode(one([for file in output.files : file.content if file.path == "/etc/patroni/patroni.yml"])).watchdog.mode == "required"
    error_message = "A node without a watchdog never leads."
  }
  assert {
    condition     = strcontains(one([for file in output.files : file.content if file.path == "/usr/local/sbin/skybridge-database"]), "patroni[etcd3]==4.1.5")
    error_message = "Patroni is pinned."
  }
  assert {
    condition     = strcontains(one([for file in output.files : file.content if endswith(file.path, "skybridge-etcd.service")]), "--pre-vote")
    error_message = "A returning member must not force an election."
  }
}

run "agent_brings_an_empty_os" {
  command = plan
  variables {
    mode = "agent"
  }
  assert {
    condition     = length(output.files) == 0 && length(output.commands) == 0 && output.with_agent
    error_message = "Only the agent."
  }
}

run "none_brings_nothing" {
  command = plan
  variables {
    mode = "none"
  }
  assert {
    condition     = !output.with_agent
    error_message = "Not even the agent."
  }
}

run "debians_patroni_is_refused" {
  command = plan
  variables {
    patroni_version = "3.0.2"
  }
  expect_failures = [var.patroni_version]
}

run "patroni_four_zero_is_refused" {
  command = plan
  variables {
    patroni_version = "4.0.6"
  }
  expect_failures = [var.patroni_version]
}

run "a_clock_that_cannot_work_is_refused" {
  command = plan
  variables {
    timing = { ttl = 20, loop_wait = 10, retry_timeout = 10 }
  }
  expect_failures = [var.timing]
}

run "a_secret_needs_one_source" {
  command = plan
  variables {
    secret = { arn = "arn:aws:secretsmanager:x", file = "/x" }
  }
  expect_failures = [var.secret]
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    mode              = "all"
    members           = { vm-db01 = "10.0.16.10" }
    scope             = "Main Scope"
    client_cidrs      = ["0.0.0.0/0"]
    postgresql_major  = 12
    watchdog          = "maybe"
    data_disk         = "sdb"
    shared_buffers_mb = 1
  }
  expect_failures = [
    var.mode, var.members, var.scope, var.client_cidrs, var.postgresql_major, var.watchdog, var.data_disk, var.shared_buffers_mb,
  ]
}

run "a_node_that_is_no_member_is_refused" {
  command = plan
  variables {
    node = "vm-db04"
  }
  expect_failures = [var.node]
}
