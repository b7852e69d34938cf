variables {
  name                    = "lab"
  public_subnet_ids       = { a = "subnet-1", b = "subnet-2", c = "subnet-3" }
  private_route_table_ids = { a = "rtb-1", b = "rtb-2", c = "rtb-3" }
}

run "one_gateway_serves_all_zones" {
  command = plan

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.internet) == 3
    error_message = "One gateway, three routes."
  }
}

run "a_gateway_in_each_zone" {
  command = plan
  variables {
    mode = "per_az"
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_eip.this) == 3
    error_message = "One gateway and address per zone."
  }
}

run "none_makes_nothing" {
  command = plan
  variables {
    mode = "none"
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.internet) == 0
    error_message = "No gateway and no dangling route."
  }
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name                    = "X"
    mode                    = "two"
    public_subnet_ids       = {}
    private_route_table_ids = {}
    tags                    = { "aws:x" = "y" }
  }
  expect_failures = [var.name, var.mode, var.public_subnet_ids, var.private_route_table_ids, var.tags]
}
