variables {
  name               = "lab"
  vpc_id             = "vpc-1"
  security_group_ids = ["sg-1"]
  topic_arn          = "arn:aws:sns:ap-northeast-2:123456789012:lab"
  instance_ids       = { db-1 = "i-1", db-2 = "i-2", db-3 = "i-3" }
  subnets = {
    a = { subnet_id = "subnet-1", private_ip = "10.0.16.20" }
    b = { subnet_id = "subnet-2", private_ip = "10.0.32.20" }
    c = { subnet_id = "subnet-3", private_ip = "10.0.48.20" }
  }
}

run "the_database_is_never_public" {
  command = plan

  assert {
    condition     = aws_lb.this.internal && aws_lb.this.load_balancer_type == "network"
    error_message = "Internal network load balancer."
  }
  assert {
    condition     = toset([for listener in aws_lb_listener.database : listener.port]) == toset([5432, 5433]) && toset([for listener in aws_lb_listener.telemetry : listener.port]) == toset([4317, 4318])
    error_message = "Four listeners."
  }
  assert {
    condition     = aws_lb_target_group.database["primary"].health_check[0].path == "/primary" && aws_lb_target_group.database["replica"].health_check[0].path == "/replica"
    error_message = "Patroni decides who is asked."
  }
  assert {
    condition     = alltrue([for group in aws_lb_target_group.database : group.health_check[0].port == "8008" && group.health_check[0].matcher == "200"])
    error_message = "Patroni is asked at its own port."
  }
  assert {
    condition     = length(aws_lb_target_group_attachment.database) == 6
    error_message = "Three nodes in both groups."
  }
  assert {
    condition     = toset([for mapping in aws_lb.this.subnet_mapping : mapping.private_ipv4_address]) == toset(["10.0.16.20", "10.0.32.20", "10.0.48.20"])
    error_message = "Fixed addresses."
  }
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name               = "X"
    vpc_id             = ""
    subnets            = {}
    security_group_ids = []
    instance_ids       = {}
    health_check       = { interval = 2, timeout = 3, healthy = 1, unhealthy = 1 }
    topic_arn          = ""
    tags               = { "aws:x" = "y" }
  }
  expect_failures = [
    var.name, var.vpc_id, var.subnets, var.security_group_ids, var.instance_ids, var.health_check, var.topic_arn, var.tags,
  ]
}
