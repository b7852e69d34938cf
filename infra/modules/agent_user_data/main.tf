locals {
  template = {
    hostname      = var.hostname
    place         = var.place
    artifact      = var.artifact
    otlp_endpoint = var.otlp_endpoint
    attributes    = var.attributes
  }
  config = var.config == null ? templatefile("${path.module}/templates/agent.yaml.tftpl", local.template) : var.config

  agent_files = var.artifact == null ? [] : [
    { path = "/etc/skybridge/agent.yaml", permissions = "0644", content = local.config },
    { path = "/etc/systemd/system/skybridge.service", permissions = "0644", content = file("${path.module}/templates/skybridge.service") },
    { path = "/etc/systemd/system/skybridge-install.service", permissions = "0644", content = file("${path.module}/templates/skybridge-install.service") },
    { path = "/usr/local/sbin/skybridge-install", permissions = "0755", content = templatefile("${path.module}/templates/install.sh.tftpl", local.template) },
  ]

  # Every service is started through systemd with retries: at first boot the NAT gateway or the
  # tunnel may not be there yet, and cloud-init itself tries only once.
  commands = concat(
    [["systemctl", "daemon-reload"]],
    var.place == "aws" ? [["systemctl", "mask", "--now", "amazon-ssm-agent.service"]] : [],
    var.artifact == null ? [] : [["systemctl", "enable", "--now", "--no-block", "skybridge-install.service"]],
    var.extra_commands,
  )

  document = {
    hostname          = var.hostname
    preserve_hostname = false
    manage_etc_hosts  = "localhost"
    ssh_pwauth        = false
    disable_root      = true
    write_files = [
      for file in concat(
        [{
          path        = "/etc/skybridge/node.env"
          permissions = "0644"
          content     = join("", [for key, value in merge({ place = var.place, hostname = var.hostname }, var.attributes) : "${upper(replace(key, ".", "_"))}=${value}\n"])
        }],
        local.agent_files,
        var.extra_files,
      ) : merge(file, { owner = "root:root" })
    ]
    runcmd = local.commands
  }
  rendered = "#cloud-config\n${yamlencode(local.document)}"
}
