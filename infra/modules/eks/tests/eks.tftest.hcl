variables {
  name               = "lab"
  kubernetes_version = "1.35"
  subnet_ids         = ["subnet-1", "subnet-2", "subnet-3"]
  service_cidr       = "10.100.0.0/16"
  security_group_ids = ["sg-1"]
  admin_arns         = ["arn:aws:iam::123456789012:role/admin"]
  nodes              = { instance_type = "t3.medium", min = 0, desired = 2, max = 4 }
}

run "the_cluster_cannot_slip_into_extended_support" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "Standard support only."
  }
  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "Private endpoint."
  }
  assert {
    condition     = aws_eks_node_group.this.scaling_config[0].min_size == 0
    error_message = "The group can sleep."
  }
  assert {
    condition     = aws_launch_template.node.metadata_options[0].http_put_response_hop_limit == 1 && aws_launch_template.node.metadata_options[0].http_tokens == "required"
    error_message = "Pods never see the node's credentials."
  }
  assert {
    condition     = length(aws_eks_addon.early) == 3 && length(aws_eks_addon.late) == 3
    error_message = "Six add-ons."
  }
  assert {
    condition     = length(aws_eks_pod_identity_association.this) == 3 && length(aws_autoscaling_group_tag.autoscaler) == 2
    error_message = "Pod Identity for three, tags for the autoscaler."
  }
}

run "a_public_endpoint_names_its_guests" {
  command = plan
  variables {
    public_access_cidrs = ["203.0.113.7/32"]
  }
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.7/32"])
    error_message = "One address."
  }
}

run "the_whole_internet_is_no_guest" {
  command = plan
  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.public_access_cidrs]
}

run "a_group_that_cannot_sleep_is_refused" {
  command = plan
  variables {
    nodes = { instance_type = "t3.medium", min = 1, desired = 2, max = 4 }
  }
  expect_failures = [var.nodes]
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name               = "X"
    kubernetes_version = "latest"
    subnet_ids         = ["subnet-1"]
    service_cidr       = "services"
    security_group_ids = []
    admin_arns         = []
    nodes              = { instance_type = "c5.metal", capacity_type = "FREE", min = 0, desired = 9, max = 9 }
    log_retention_days = 2
    tags               = { "aws:x" = "y" }
  }
  expect_failures = [
    var.name, var.kubernetes_version, var.subnet_ids, var.service_cidr, var.security_group_ids, var.admin_arns, var.nodes, var.log_retention_days, var.tags,
  ]
}
