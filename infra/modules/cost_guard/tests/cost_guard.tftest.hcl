variables {
  name      = "lab"
  topic_arn = "arn:aws:sns:ap-northeast-2:123456789012:lab-alerts"
}

run "the_budget_is_the_labs" {
  command = plan

  assert {
    condition     = aws_budgets_budget.monthly.limit_amount == "450" && aws_budgets_budget.monthly.time_unit == "MONTHLY"
    error_message = "450 USD a month."
  }
  assert {
    condition     = length(aws_budgets_budget.monthly.notification) == 4
    error_message = "Three warnings on spending and one on the forecast."
  }
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name               = "X"
    monthly_budget_usd = 500
    anomaly_usd        = 0
    topic_arn          = ""
    tags               = { "aws:x" = "y" }
  }
  expect_failures = [var.name, var.monthly_budget_usd, var.anomaly_usd, var.topic_arn, var.tags]
}
