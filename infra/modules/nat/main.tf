locals {
  zones = sort(keys(var.public_subnet_ids))
  # The gateway's zone to the zones it serves.
  gateways = {
    none   = []
    single = slice(local.zones, 0, 1)
    per_az = local.zones
  }[var.mode]
  served_by = {
    for zone in keys(var.private_route_table_ids) : zone => contains(local.gateways, zone) ? zone : local.gateways[0]
    if length(local.gateways) > 0
  }
}

resource "aws_eip" "this" {
  for_each = toset(local.gateways)

  domain = "vpc"

  tags = merge(var.tags, { Name = "${var.name}-nat-${each.key}" })
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.gateways)

  allocation_id = aws_eip.this[each.key].id
  subnet_id     = var.public_subnet_ids[each.key]

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_route" "internet" {
  for_each = local.served_by

  route_table_id         = var.private_route_table_ids[each.key]
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[each.value].id
}
