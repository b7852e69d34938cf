locals {
  rules = merge([
    for name, group in var.groups : {
      for key, rule in group.ingress : "${name}/${key}" => merge(rule, {
        target  = name
        to_port = coalesce(rule.to_port, rule.from_port)
      })
    }
  ]...)
}

resource "aws_security_group" "this" {
  for_each = var.groups

  name        = "${var.name}-${each.key}"
  description = each.value.description
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.rules

  security_group_id            = aws_security_group.this[each.value.target].id
  description                  = each.value.description
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.from_port
  to_port                      = each.value.to_port
  cidr_ipv4                    = each.value.cidr
  referenced_security_group_id = each.value.group == null ? null : aws_security_group.this[each.value.group].id

  tags = merge(var.tags, { Name = each.key })
}

# Outgoing traffic is free: package sources and AWS services have no fixed addresses.
resource "aws_vpc_security_group_egress_rule" "all" {
  for_each = var.groups

  security_group_id = aws_security_group.this[each.key].id
  description       = "Everything"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"

  tags = merge(var.tags, { Name = "${each.key}/all" })
}
