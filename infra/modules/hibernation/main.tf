locals {
  minutes = {
    for name in ["wake_at", "sleep_at"] : name =>
    tonumber(split(":", var.calendar[name])[0]) * 60 + tonumber(split(":", var.calendar[name])[1])
  }
  # Sleeping after midnight belongs to the working day before: 02:00 on Saturday ends Friday.
  after_midnight = local.minutes.sleep_at < local.minutes.wake_at

  # The order of the evening: alarms, workers (their pods move or end), then the database one by one.
  # The order of the morning: database, workers, alarms.
  steps = merge(
    length(var.alarm_names) == 0 ? {} : {
      sleep-alarms = { day = "sleep", shift = -30, target = "cloudwatch:disableAlarmActions", input = { AlarmNames = var.alarm_names } }
      wake-alarms  = { day = "wake", shift = 10, target = "cloudwatch:enableAlarmActions", input = { AlarmNames = var.alarm_names } }
    },
    { for group in var.node_groups : "sleep-${group.name}" => {
      day = "sleep", shift = -20, target = "eks:updateNodegroupConfig"
      input = {
        ClusterName   = group.cluster
        NodegroupName = group.name
        ScalingConfig = { MinSize = 0, DesiredSize = 0, MaxSize = group.max }
      }
    } },
    { for group in var.node_groups : "wake-${group.name}" => {
      day = "wake", shift = -var.lead_minutes / 2, target = "eks:updateNodegroupConfig"
      input = {
        ClusterName   = group.cluster
        NodegroupName = group.name
        ScalingConfig = { MinSize = 0, DesiredSize = group.desired, MaxSize = group.max }
      }
    } },
    { for index, id in var.instances : "sleep-instance-${index + 1}" => {
      day = "sleep", shift = index, target = "ec2:stopInstances", input = { InstanceIds = [id] }
    } },
    length(var.instances) == 0 ? {} : {
      wake-instances = { day = "wake", shift = -var.lead_minutes, target = "ec2:startInstances", input = { InstanceIds = var.instances } }
    },
  )

  # A step may cross midnight in either direction; its weekday moves with it.
  timed = {
    for name, step in local.steps : name => merge(step, {
      minute = (local.minutes["${step.day}_at"] + step.shift + 1440) % 1440
      days = (
        step.day == "wake" ? floor((local.minutes.wake_at + step.shift) / 1440) :
        floor((local.minutes.sleep_at + step.shift) / 1440) + (local.after_midnight ? 1 : 0)
      )
    })
  }
  weekdays = { "-1" = "SUN-THU", "0" = "MON-FRI", "1" = "TUE-SAT", "2" = "WED-SUN" }
  schedules = {
    for name, step in local.timed : name => merge(step, {
      expression = "cron(${step.minute % 60} ${floor(step.minute / 60)} ? * ${local.weekdays[tostring(step.days)]} *)"
    })
  }
}

data "aws_caller_identity" "current" {}

resource "aws_iam_role" "this" {
  name = "${var.name}-hibernation"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "this" {
  name = "sleep-and-wake"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      length(var.instances) == 0 ? [] : [{
        Sid      = "Instances"
        Effect   = "Allow"
        Action   = ["ec2:StopInstances", "ec2:StartInstances"]
        Resource = [for id in var.instances : "arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:instance/${id}"]
      }],
      length(var.node_groups) == 0 ? [] : [{
        Sid      = "NodeGroups"
        Effect   = "Allow"
        Action   = ["eks:UpdateNodegroupConfig"]
        Resource = [for group in var.node_groups : "arn:aws:eks:*:${data.aws_caller_identity.current.account_id}:nodegroup/${group.cluster}/${group.name}/*"]
      }],
      length(var.alarm_names) == 0 ? [] : [{
        Sid      = "Alarms"
        Effect   = "Allow"
        Action   = ["cloudwatch:DisableAlarmActions", "cloudwatch:EnableAlarmActions"]
        Resource = [for name in var.alarm_names : "arn:aws:cloudwatch:*:${data.aws_caller_identity.current.account_id}:alarm:${name}"]
      }],
    )
  })
}

resource "aws_scheduler_schedule_group" "this" {
  name = "${var.name}-hibernation"

  tags = var.tags
}

resource "aws_scheduler_schedule" "this" {
  for_each = local.schedules

  name                         = "${var.name}-${each.key}"
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = each.value.expression
  schedule_expression_timezone = var.calendar.timezone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:aws:scheduler:::aws-sdk:${each.value.target}"
    role_arn = aws_iam_role.this.arn
    input    = jsonencode(each.value.input)

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 5
    }
  }
}
