locals {
  statements = concat(
    [{
      Sid       = "PutMetricData"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = ["*"]
      Condition = { StringEquals = { "cloudwatch:namespace" = var.namespace } }
    }],
    [{
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = flatten([for group in aws_cloudwatch_log_group.this : [group.arn, "${group.arn}:*"]])
    }],
  )
  otlp = var.cloudwatch_otlp ? [{
    Sid      = "OtlpMetrics"
    Effect   = "Allow"
    Action   = ["cloudwatch:PutMetricData"]
    Resource = ["*"]
    # OTLP requests carry no name space: this statement is for them alone.
    Condition = { Null = { "cloudwatch:namespace" = "true" } }
  }] : []
  xray = var.xray ? [{
    Sid      = "Traces"
    Effect   = "Allow"
    Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    Resource = ["*"]
  }] : []
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = var.log_groups

  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  log_group_class   = var.log_group_class

  tags = var.tags
}

resource "aws_iam_role" "collector" {
  name = "${var.name}-collector"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "collector" {
  name   = "telemetry"
  role   = aws_iam_role.collector.id
  policy = jsonencode({ Version = "2012-10-17", Statement = concat(local.statements, local.otlp, local.xray) })
}

resource "aws_eks_pod_identity_association" "collector" {
  for_each = var.cluster_name == null ? {} : { this = var.cluster_name }

  cluster_name    = each.value
  namespace       = var.service_account.namespace
  service_account = var.service_account.name
  role_arn        = aws_iam_role.collector.arn

  tags = var.tags
}

# The collector counts its own series; silence means it is gone, and is told by the same alarm.
resource "aws_cloudwatch_metric_alarm" "series" {
  alarm_name          = "${var.name}-cloudwatch-series"
  alarm_description   = "The collector nears ${var.cloudwatch_max_series} custom metrics, or is silent. Runbook: infra/README.md, Cost."
  namespace           = var.namespace
  metric_name         = "skybridge.cloudwatch.series"
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 2
  threshold           = floor(var.cloudwatch_max_series * 9 / 10)
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic_arn]

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "credits" {
  for_each = var.database_instance_ids

  alarm_name          = "${var.name}-${each.key}-cpu-credits"
  alarm_description   = "${each.key} runs out of CPU credits and will be throttled. Runbook: infra/README.md, The database."
  namespace           = "AWS/EC2"
  metric_name         = "CPUCreditBalance"
  dimensions          = { InstanceId = each.value }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 3
  threshold           = 30
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "disk_burst" {
  for_each = var.database_instance_ids

  alarm_name          = "${var.name}-${each.key}-disk-burst"
  alarm_description   = "${each.key} has used most of its disk burst. Runbook: infra/README.md, The database."
  namespace           = "AWS/EC2"
  metric_name         = "EBSIOBalance%"
  dimensions          = { InstanceId = each.value }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 3
  threshold           = 20
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]

  tags = var.tags
}
