locals {
  address = var.members[var.node]
  template = {
    node             = var.node
    address          = local.address
    members          = var.members
    scope            = var.scope
    client_cidrs     = var.client_cidrs
    patroni_version  = var.patroni_version
    postgresql_major = var.postgresql_major
    timing           = var.timing
    watchdog         = var.watchdog
    data_disk        = var.data_disk
    secret           = var.secret
    shared_buffers   = var.shared_buffers_mb
    root             = "/var/lib/skybridge-data"
  }

  files = var.mode != "full" ? [] : [
    { path = "/etc/postgresql-common/createcluster.conf", permissions = "0644", content = "# Patroni creates the only cluster of this node.\ncreate_main_cluster = false\n" },
    { path = "/etc/patroni/patroni.yml", permissions = "0644", content = templatefile("${path.module}/templates/patroni.yml.tftpl", local.template) },
    { path = "/etc/systemd/system/skybridge-etcd.service", permissions = "0644", content = templatefile("${path.module}/templates/skybridge-etcd.service.tftpl", local.template) },
    { path = "/etc/systemd/system/patroni.service", permissions = "0644", content = templatefile("${path.module}/templates/patroni.service.tftpl", local.template) },
    { path = "/etc/systemd/system/skybridge-database.service", permissions = "0644", content = templatefile("${path.module}/templates/skybridge-database.service.tftpl", local.template) },
    { path = "/usr/local/sbin/skybridge-database", permissions = "0755", content = templatefile("${path.module}/templates/database.sh.tftpl", local.template) },
    { path = "/usr/local/sbin/skybridge-database-roles", permissions = "0755", content = file("${path.module}/templates/roles.sh") },
  ]

  commands = var.mode != "full" ? [] : [
    # The package's own service would form a cluster of one before ours is configured.
    ["systemctl", "mask", "etcd.service"],
    ["systemctl", "enable", "--now", "--no-block", "skybridge-database.service"],
  ]
}
