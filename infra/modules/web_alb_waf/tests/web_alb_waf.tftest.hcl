variables {
  name               = "lab"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1", "subnet-2"]
  security_group_ids = ["sg-1"]
}

run "injection_and_scripts_are_filtered" {
  command = plan

  assert {
    condition     = toset([for rule in aws_wafv2_web_acl.this.rule : rule.name]) == toset(["AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesSQLiRuleSet"])
    error_message = "Three managed groups."
  }
  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "forward" && length(aws_lb_listener.https) == 0
    error_message = "Plain HTTP without a certificate."
  }
}

run "a_certificate_turns_http_into_a_redirect" {
  command = plan
  variables {
    certificate_arn = "arn:aws:acm:ap-northeast-2:123456789012:certificate/x"
    rate_limit      = 2000
  }
  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.https["this"].port == 443
    error_message = "HTTPS, and HTTP leads there."
  }
  assert {
    condition     = length(aws_wafv2_web_acl.this.rule) == 4
    error_message = "The rate rule is the fourth."
  }
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name               = "X"
    vpc_id             = ""
    subnet_ids         = ["subnet-1"]
    security_group_ids = []
    certificate_arn    = "certificate"
    app                = { port = 0, health_path = "x" }
    rate_limit         = 10
    tags               = { "aws:x" = "y" }
  }
  expect_failures = [
    var.name, var.vpc_id, var.subnet_ids, var.security_group_ids, var.certificate_arn, var.app, var.rate_limit, var.tags,
  ]
}
