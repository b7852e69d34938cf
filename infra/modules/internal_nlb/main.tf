locals {
  # Patroni answers 200 on /primary at the leader alone and on /replica at healthy replicas alone.
  database = {
    primary = { port = 5432, path = "/primary" }
    replica = { port = 5433, path = "/replica" }
  }
  # Pods join these groups through a TargetGroupBinding: no controller makes a balancer of its own.
  telemetry = {
    otlp-grpc = 4317
    otlp-http = 4318
  }
  attachments = merge([
    for role in keys(local.database) : { for node, id in var.instance_ids : "${role}/${node}" => { role = role, id = id } }
  ]...)
}

resource "aws_lb" "this" {
  name               = "${var.name}-internal"
  load_balancer_type = "network"
  internal           = true
  security_groups    = var.security_group_ids
  # Only one node is healthy on /primary, so every zone must be able to reach it.
  enable_cross_zone_load_balancing = true

  dynamic "subnet_mapping" {
    for_each = var.subnets

    content {
      subnet_id            = subnet_mapping.value.subnet_id
      private_ipv4_address = subnet_mapping.value.private_ip
    }
  }

  tags = merge(var.tags, { Name = "${var.name}-internal" })
}

resource "aws_lb_target_group" "database" {
  for_each = local.database

  name        = "${var.name}-${each.key}"
  vpc_id      = var.vpc_id
  target_type = "instance"
  protocol    = "TCP"
  port        = 5432
  # A node that talks to itself through the balancer would see its own address as source.
  preserve_client_ip = "false"
  # Sessions to a node that is no longer the leader must end, not hang.
  connection_termination = true
  deregistration_delay   = "5"

  target_health_state {
    enable_unhealthy_connection_termination = true
  }

  health_check {
    protocol            = "HTTP"
    port                = "8008"
    path                = each.value.path
    matcher             = "200"
    interval            = var.health_check.interval
    timeout             = var.health_check.timeout
    healthy_threshold   = var.health_check.healthy
    unhealthy_threshold = var.health_check.unhealthy
  }

  tags = var.tags
}

resource "aws_lb_target_group_attachment" "database" {
  for_each = local.attachments

  target_group_arn = aws_lb_target_group.database[each.value.role].arn
  target_id        = each.value.id
  port             = 5432
}

resource "aws_lb_target_group" "telemetry" {
  for_each = local.telemetry

  name               = "${var.name}-${each.key}"
  vpc_id             = var.vpc_id
  target_type        = "ip"
  protocol           = "TCP"
  port               = each.value
  preserve_client_ip = "false"

  health_check {
    protocol            = "TCP"
    port                = "traffic-port"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  tags = var.tags
}

resource "aws_lb_listener" "database" {
  for_each = local.database

  load_balancer_arn = aws_lb.this.arn
  protocol          = "TCP"
  port              = each.value.port

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.database[each.key].arn
  }

  tags = var.tags
}

resource "aws_lb_listener" "telemetry" {
  for_each = local.telemetry

  load_balancer_arn = aws_lb.this.arn
  protocol          = "TCP"
  port              = each.value

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.telemetry[each.key].arn
  }

  tags = var.tags
}

# /primary can be 200 while PostgreSQL fails to start; the agent's own probe covers that side.
resource "aws_cloudwatch_metric_alarm" "no_leader" {
  alarm_name          = "${var.name}-database-no-leader"
  alarm_description   = "No node answers 200 on /primary: nobody can write. Runbook: infra/README.md, The database."
  namespace           = "AWS/NetworkELB"
  metric_name         = "HealthyHostCount"
  dimensions          = { LoadBalancer = aws_lb.this.arn_suffix, TargetGroup = aws_lb_target_group.database["primary"].arn_suffix }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]

  tags = var.tags
}
