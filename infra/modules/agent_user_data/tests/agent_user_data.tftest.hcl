variables {
  hostname      = "vm-db01"
  place         = "aws"
  otlp_endpoint = "http://10.0.16.20:4317"
  artifact = {
    bucket = "lab-artifacts"
    key    = "skybridge"
    region = "ap-northeast-2"
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  }
  attributes = { "deployment.environment.name" = "dev" }
}

run "a_node_in_aws" {
  command = plan

  assert {
    condition     = startswith(output.rendered, "#cloud-config\n")
    error_message = "cloud-init knows its file by the first line."
  }
  assert {
    condition     = contains(yamldecode(output.rendered).runcmd, ["systemctl", "mask", "--now", "amazon-ssm-agent.service"])
    error_message = "Access is WireGuard only."
  }
  assert {
    condition     = anytrue([for file in yamldecode(output.rendered).write_files : strcontains(file.content, "want=e3b0c442")])
    error_message = "The digest is checked on the node."
  }
}

run "a_machine_on_prem" {
  command = plan
  variables {
    place = "onprem"
  }
  assert {
    condition     = !strcontains(output.rendered, "169.254.169.254")
    error_message = "There is no instance metadata on-prem."
  }
}

run "no_agent_without_an_artifact" {
  command = plan
  variables {
    artifact = null
  }
  assert {
    condition     = !strcontains(output.rendered, "skybridge-install")
    error_message = "Nothing to install."
  }
}

run "too_much_user_data_is_refused" {
  command = plan
  variables {
    # Digests do not compress: 600 of them exceed 16 KiB.
    extra_files = [{ path = "/big", permissions = "0644", content = join("", [for index in range(600) : sha256(tostring(index))]) }]
  }
  expect_failures = [output.rendered]
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    hostname       = "Node_1"
    place          = "cloud"
    otlp_endpoint  = "collector"
    config         = "a: [b"
    attributes     = { "Bad Key" = "x" }
    extra_files    = [{ path = "relative", permissions = "644", content = "" }]
    extra_commands = [[]]
    artifact       = { bucket = "b", key = "k", region = "r", sha256 = "none" }
  }
  expect_failures = [
    var.hostname, var.place, var.otlp_endpoint, var.config, var.attributes, var.extra_files, var.extra_commands, var.artifact,
  ]
}
