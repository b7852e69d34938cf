# What the lab's own plan must look like: counts that a wrong loop or a lost entry would change.
package lab

import rego.v1

of_type(kind) := {change |
	some change in input.resource_changes
	change.mode == "managed"
	change.change.after != null
	change.type == kind
}

rules := {"database_nodes", "database_sources", "static_routes", "calendar", "workers"}

deny contains sentence if {
	nodes := {change | some change in of_type("aws_instance"); startswith(change.address, "module.ec2.")}
	count(nodes) > 0
	zones := {node.change.after.availability_zone | some node in nodes}
	not three(nodes, zones)
	sentence := sprintf("database_nodes: %d database nodes in %d zones; three in three zones are needed for a quorum.", [count(nodes), count(zones)])
}

three(nodes, zones) if {
	count(nodes) == 3
	count(zones) == 3
}

database_rules := {change |
	some change in of_type("aws_vpc_security_group_ingress_rule")
	contains(change.address, "[\"database/")
}

deny contains sentence if {
	count(database_rules) > 12
	sentence := sprintf("database_sources: %d rules open the database, 12 are the most; merge sources instead of adding rules.", [count(database_rules)])
}

deny contains sentence if {
	allowed := {input.variables.vpc_cidr.value} | {cidr | some cidr in input.variables.onprem_cidrs.value}
	some rule in database_rules
	is_string(rule.change.after.cidr_ipv4)
	not rule.change.after.cidr_ipv4 in allowed
	sentence := sprintf("database_sources: %s opens the database to %s; only the VPC and the on-prem ranges may reach it.", [rule.address, rule.change.after.cidr_ipv4])
}

deny contains sentence if {
	count(of_type("aws_vpn_connection")) > 0
	input.variables.routing.value == "static"
	routes := {route.change.after.destination_cidr_block | some route in of_type("aws_vpn_connection_route")}
	wanted := {cidr | some cidr in input.variables.onprem_cidrs.value}
	routes != wanted
	sentence := sprintf("static_routes: the tunnel routes %v, the on-prem ranges are %v; add a route for each.", [sort(routes), sort(wanted)])
}

deny contains sentence if {
	some schedule in of_type("aws_scheduler_schedule")
	schedule.change.after.schedule_expression_timezone != input.variables.calendar.value.timezone
	sentence := sprintf("calendar: %s runs in %s, the lab lives in %s.", [schedule.address, schedule.change.after.schedule_expression_timezone, input.variables.calendar.value.timezone])
}

deny contains sentence if {
	some group in of_type("aws_eks_node_group")
	group.change.after.scaling_config[0].desired_size != input.variables.eks_nodes.value.desired
	sentence := sprintf("workers: %s starts with %v nodes, eks_nodes asks for %v; pass the variable on unchanged.", [group.address, group.change.after.scaling_config[0].desired_size, input.variables.eks_nodes.value.desired])
}
