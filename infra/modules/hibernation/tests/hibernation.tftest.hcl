variables {
  name        = "lab"
  instances   = ["i-3", "i-2", "i-1"]
  node_groups = [{ cluster = "lab", name = "lab-workers", min = 0, desired = 2, max = 4 }]
  alarm_names = ["lab-vpn-down"]
}

run "the_lab_sleeps_from_two_to_nine" {
  command = plan

  assert {
    condition     = output.schedules["sleep-instance-1"] == "cron(0 2 ? * TUE-SAT *) ec2:stopInstances" && output.schedules["sleep-instance-3"] == "cron(2 2 ? * TUE-SAT *) ec2:stopInstances"
    error_message = "Replicas first, one minute apart, after midnight of the working day."
  }
  assert {
    condition     = output.schedules["wake-instances"] == "cron(40 8 ? * MON-FRI *) ec2:startInstances"
    error_message = "The database starts first."
  }
  assert {
    condition     = output.schedules["sleep-lab-workers"] == "cron(40 1 ? * TUE-SAT *) eks:updateNodegroupConfig" && output.schedules["wake-lab-workers"] == "cron(50 8 ? * MON-FRI *) eks:updateNodegroupConfig"
    error_message = "Workers drain before the database sleeps and wake after it."
  }
  assert {
    condition     = output.schedules["sleep-alarms"] == "cron(30 1 ? * TUE-SAT *) cloudwatch:disableAlarmActions" && output.schedules["wake-alarms"] == "cron(10 9 ? * MON-FRI *) cloudwatch:enableAlarmActions"
    error_message = "Alarms know the night."
  }
  assert {
    condition     = jsondecode(aws_scheduler_schedule.this["sleep-lab-workers"].target[0].input).ScalingConfig == { MinSize = 0, DesiredSize = 0, MaxSize = 4 }
    error_message = "No worker stays awake."
  }
  assert {
    condition     = jsondecode(aws_scheduler_schedule.this["wake-lab-workers"].target[0].input).ScalingConfig == { MinSize = 0, DesiredSize = 2, MaxSize = 4 }
    error_message = "The morning brings the workers back."
  }
  assert {
    condition     = output.hours_per_week == 85
    error_message = "Seventeen hours on five days."
  }
  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : schedule.schedule_expression_timezone == "Asia/Seoul"])
    error_message = "The lab's own clock."
  }
}

run "a_step_that_crosses_midnight_keeps_its_day" {
  command = plan
  variables {
    calendar = { timezone = "Asia/Seoul", wake_at = "08:00", sleep_at = "00:10" }
  }
  assert {
    condition     = output.schedules["sleep-lab-workers"] == "cron(50 23 ? * MON-FRI *) eks:updateNodegroupConfig"
    error_message = "Twenty minutes before 00:10 on Saturday is Friday evening."
  }
}

run "an_evening_before_midnight" {
  command = plan
  variables {
    calendar = { timezone = "Asia/Seoul", wake_at = "09:00", sleep_at = "21:00" }
  }
  assert {
    condition     = output.schedules["sleep-instance-1"] == "cron(0 21 ? * MON-FRI *) ec2:stopInstances" && output.hours_per_week == 60
    error_message = "The same day."
  }
}

run "nothing_to_do_makes_no_schedule" {
  command = plan
  variables {
    instances   = []
    node_groups = []
    alarm_names = []
  }
  assert {
    condition     = length(aws_scheduler_schedule.this) == 0
    error_message = "No schedule."
  }
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name         = "X"
    calendar     = { timezone = "KST", wake_at = "9", sleep_at = "26:00" }
    instances    = ["i-1", "i-1"]
    node_groups  = [{ cluster = "lab", name = "w", min = 1, desired = 2, max = 4 }]
    alarm_names  = [for index in range(101) : tostring(index)]
    lead_minutes = 5
    tags         = { "aws:x" = "y" }
  }
  expect_failures = [
    var.name, var.calendar, var.instances, var.node_groups, var.alarm_names, var.lead_minutes, var.tags,
  ]
}
