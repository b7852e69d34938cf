variables {
  name               = "lab"
  ami_id             = "ami-0123456789abcdef0"
  security_group_ids = ["sg-1"]
  secret_arns        = ["arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:db"]
  nodes = {
    db-1 = { availability_zone = "ap-northeast-2a", subnet_id = "subnet-1", private_ip = "10.0.16.10", user_data_base64 = "eA==" }
    db-2 = { availability_zone = "ap-northeast-2b", subnet_id = "subnet-2", private_ip = "10.0.32.10", user_data_base64 = "eA==" }
    db-3 = { availability_zone = "ap-northeast-2c", subnet_id = "subnet-3", private_ip = "10.0.48.10", user_data_base64 = "eA==" }
  }
}

run "three_nodes_that_keep_their_data" {
  command = plan

  assert {
    condition     = length(aws_instance.this) == 3 && length(aws_ebs_volume.data) == 3
    error_message = "Three nodes, each with a volume of its own."
  }
  assert {
    condition     = alltrue([for instance in aws_instance.this : instance.metadata_options[0].http_tokens == "required"])
    error_message = "IMDSv2 only."
  }
  assert {
    condition     = alltrue([for instance in aws_instance.this : instance.credit_specification[0].cpu_credits == "standard"])
    error_message = "Standard credits cannot surprise the bill."
  }
  assert {
    condition     = alltrue([for volume in aws_ebs_volume.data : volume.encrypted && volume.type == "gp3"])
    error_message = "Encrypted gp3."
  }
  assert {
    condition     = { for name, instance in aws_instance.this : name => instance.private_ip } == { for name, node in var.nodes : name => node.private_ip }
    error_message = "Each node has its own fixed address."
  }
  assert {
    condition     = length(aws_iam_role_policy.node) == 1
    error_message = "The nodes read their secret."
  }
}

run "no_rights_without_need" {
  command = plan
  variables {
    secret_arns = []
  }
  assert {
    condition     = length(aws_iam_role_policy.node) == 0
    error_message = "No secret and no bucket: no policy."
  }
}

run "two_zones_for_three_nodes_are_refused" {
  command = plan
  variables {
    nodes = {
      db-1 = { availability_zone = "ap-northeast-2a", subnet_id = "subnet-1", private_ip = "10.0.16.10", user_data_base64 = "eA==" }
      db-2 = { availability_zone = "ap-northeast-2b", subnet_id = "subnet-2", private_ip = "10.0.32.10", user_data_base64 = "eA==" }
      db-3 = { availability_zone = "ap-northeast-2b", subnet_id = "subnet-2", private_ip = "10.0.32.11", user_data_base64 = "eA==" }
    }
  }
  expect_failures = [var.nodes]
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name                = "X"
    instance_type       = "t4g.medium"
    cpu_credits         = "free"
    ami_id              = "debian"
    security_group_ids  = []
    root_volume_gb      = 4
    data_volume_gb      = 1
    artifact_bucket_arn = "bucket"
    secret_arns         = ["arn:aws:secretsmanager:*"]
    tags                = { "aws:x" = "y" }
    nodes               = { db-1 = { availability_zone = "a", subnet_id = "s", private_ip = "ten", user_data_base64 = "" } }
  }
  expect_failures = [
    var.name, var.instance_type, var.cpu_credits, var.ami_id, var.security_group_ids, var.root_volume_gb,
    var.data_volume_gb, var.artifact_bucket_arn, var.secret_arns, var.tags, var.nodes,
  ]
}
