variables {
  name   = "lab-alerts"
  emails = ["ops@example.com"]
}

run "services_may_publish_and_people_hear" {
  command = apply

  assert {
    condition     = length(jsondecode(aws_sns_topic_policy.this.policy).Statement) == 3
    error_message = "Budgets, alarms and anomaly alerts publish."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement : statement.Condition.StringEquals["aws:SourceAccount"] == "123456789012"])
    error_message = "Only this account's services."
  }
  assert {
    condition     = length(aws_sns_topic_subscription.email) == 1
    error_message = "One subscription per address."
  }
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name   = "X"
    emails = ["nobody"]
    tags   = { "aws:x" = "y" }
  }
  expect_failures = [var.name, var.emails, var.tags]
}
