variables {
  name = "lab"
  cidr = "10.0.0.0/16"
  subnets = {
    public  = { ap-northeast-2a = "10.0.0.0/24", ap-northeast-2b = "10.0.1.0/24", ap-northeast-2c = "10.0.2.0/24" }
    private = { ap-northeast-2a = "10.0.16.0/20", ap-northeast-2b = "10.0.32.0/20", ap-northeast-2c = "10.0.48.0/20" }
  }
}

run "three_zones_and_no_public_address" {
  command = plan

  assert {
    condition     = length(aws_subnet.private) == 3 && length(aws_route_table.private) == 3
    error_message = "A private subnet and table in each zone."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "Nothing gets a public address by being started."
  }
  assert {
    condition     = alltrue([for zone, subnet in aws_subnet.private : subnet.cidr_block == var.subnets.private[zone]]) && alltrue([for zone, subnet in aws_subnet.public : subnet.cidr_block == var.subnets.public[zone]])
    error_message = "Each subnet has the planned range."
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "The S3 endpoint is the free kind."
  }
}

run "two_zones_are_refused" {
  command = plan
  variables {
    subnets = {
      public  = { ap-northeast-2a = "10.0.0.0/24", ap-northeast-2b = "10.0.1.0/24" }
      private = { ap-northeast-2a = "10.0.16.0/20", ap-northeast-2b = "10.0.32.0/20" }
    }
  }
  expect_failures = [var.subnets]
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name = "Lab VPC"
    cidr = "all"
    tags = { "aws:name" = "x" }
  }
  expect_failures = [var.name, var.cidr, var.tags]
}
