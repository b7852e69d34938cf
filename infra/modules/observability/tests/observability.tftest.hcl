variables {
  name                  = "lab"
  cluster_name          = "lab"
  topic_arn             = "arn:aws:sns:ap-northeast-2:123456789012:lab"
  database_instance_ids = { db-1 = "i-1", db-2 = "i-2", db-3 = "i-3" }
}

run "the_collector_gets_only_what_it_needs" {
  command = apply

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.collector.policy).Statement :
      contains(keys(statement), "Condition") if statement.Action == ["cloudwatch:PutMetricData"]
    ])
    error_message = "Metrics are bound to a name space, or to having none."
  }
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.collector.policy).Statement : [
        for resource in statement.Resource : startswith(resource, "arn:aws:cloudwatch_log_group:") || startswith(resource, "arn:aws:")
      ] if statement.Sid == "WriteLogs"
    ]))
    error_message = "Logs go to named groups only."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.series.threshold == 54
    error_message = "The alarm stands at nine tenths of the cap."
  }
  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 14])
    error_message = "Logs end."
  }
}

run "without_otlp_the_condition_is_everywhere" {
  command = apply
  variables {
    cloudwatch_otlp = false
    xray            = true
  }
  assert {
    condition     = toset([for statement in jsondecode(aws_iam_role_policy.collector.policy).Statement : statement.Sid]) == toset(["PutMetricData", "WriteLogs", "Traces"])
    error_message = "No statement without a name space."
  }
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name                  = "X"
    namespace             = "AWS/EC2"
    log_groups            = []
    log_retention_days    = 400
    log_group_class       = "CHEAP"
    cloudwatch_max_series = 5000
    cluster_name          = "x"
    service_account       = { namespace = "A", name = "B" }
    database_instance_ids = { db-1 = "" }
    topic_arn             = ""
    tags                  = { "aws:x" = "y" }
  }
  expect_failures = [
    var.name, var.namespace, var.log_groups, var.log_retention_days, var.log_group_class, var.cloudwatch_max_series,
    var.cluster_name, var.service_account, var.database_instance_ids, var.topic_arn, var.tags,
  ]
}
