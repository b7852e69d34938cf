locals {
  statements = concat(
    var.artifact_bucket_arn == null ? [] : [{
      Sid      = "ReadArtifacts"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["${var.artifact_bucket_arn}/*"]
    }],
    length(var.secret_arns) == 0 ? [] : [{
      Sid      = "ReadSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = var.secret_arns
    }],
  )
}

resource "aws_iam_role" "node" {
  name = "${var.name}-node"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "node" {
  for_each = length(local.statements) == 0 ? {} : { this = local.statements }

  name   = "read"
  role   = aws_iam_role.node.id
  policy = jsonencode({ Version = "2012-10-17", Statement = each.value })
}

resource "aws_iam_instance_profile" "node" {
  name = "${var.name}-node"
  role = aws_iam_role.node.name

  tags = var.tags
}

resource "aws_instance" "this" {
  for_each = var.nodes

  ami                         = var.ami_id
  instance_type               = var.instance_type
  availability_zone           = each.value.availability_zone
  subnet_id                   = each.value.subnet_id
  private_ip                  = each.value.private_ip
  associate_public_ip_address = false
  vpc_security_group_ids      = var.security_group_ids
  iam_instance_profile        = aws_iam_instance_profile.node.name
  disable_api_termination     = true
  ebs_optimized               = startswith(var.instance_type, "t2.") ? null : true
  user_data_base64            = each.value.user_data_base64
  user_data_replace_on_change = false

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "enabled"
  }

  dynamic "credit_specification" {
    for_each = startswith(var.instance_type, "t") ? [var.cpu_credits] : []

    content {
      cpu_credits = credit_specification.value
    }
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.root_volume_gb
    encrypted   = true
  }

  lifecycle {
    # A newer image or template must not rebuild a database node behind its owner's back.
    ignore_changes = [ami, user_data_base64]
  }

  tags = merge(var.tags, { Name = each.key })
}

resource "aws_ebs_volume" "data" {
  for_each = var.nodes

  availability_zone = each.value.availability_zone
  type              = "gp3"
  size              = var.data_volume_gb
  encrypted         = true

  tags = merge(var.tags, { Name = "${each.key}-data" })
}

resource "aws_volume_attachment" "data" {
  for_each = var.nodes

  device_name = "/dev/sdf"
  instance_id = aws_instance.this[each.key].id
  volume_id   = aws_ebs_volume.data[each.key].id
  # A busy volume must be unmounted by its node first; forcing it loses writes.
  force_detach                   = false
  stop_instance_before_detaching = true
}
