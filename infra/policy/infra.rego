# What no plan may contain. Input is the plan as JSON, as `show -json` prints it; conftest runs the
# same files. Each sentence begins with the rule's name and says what to change.
package infra

import rego.v1

planned contains change if {
	some change in input.resource_changes
	change.mode == "managed"
	change.change.after != null
}

of_type(kind) := {change | some change in planned; change.type == kind}

values(change) := change.change.after

rules := {
	"open_ingress", "public_ssh", "public_instance", "imdsv2", "encrypted_gp3", "log_retention",
	"standard_support", "nat_gateways", "tags", "vpn_kept", "budget", "metric_namespace",
	"preshared_key", "plain_secret", "internal_database", "private_endpoint", "state_public",
}

# ---- network

deny contains sentence if {
	some rule in of_type("aws_vpc_security_group_ingress_rule")
	values(rule).cidr_ipv4 == "0.0.0.0/0"
	not web_port(values(rule))
	sentence := sprintf("open_ingress: %s opens port %v to the whole Internet; only 80 and 443 of the web balancer may be. Use the on-prem or the developers' range.", [rule.address, values(rule).from_port])
}

web_port(rule) if {
	rule.from_port == rule.to_port
	rule.from_port in {80, 443}
}

deny contains sentence if {
	some rule in of_type("aws_vpc_security_group_ingress_rule")
	values(rule).from_port <= 22
	values(rule).to_port >= 22
	not private(values(rule).cidr_ipv4)
	not is_string(values(rule).referenced_security_group_id)
	sentence := sprintf("public_ssh: %s lets SSH in from %s; SSH comes through WireGuard only, so use the developers' range.", [rule.address, values(rule).cidr_ipv4])
}

private(cidr) if net.cidr_contains("10.0.0.0/8", cidr)

private(cidr) if net.cidr_contains("172.16.0.0/12", cidr)

private(cidr) if net.cidr_contains("192.168.0.0/16", cidr)

deny contains sentence if {
	some instance in of_type("aws_instance")
	values(instance).associate_public_ip_address != false
	sentence := sprintf("public_instance: %s may get a public address; set associate_public_ip_address to false.", [instance.address])
}

deny contains sentence if {
	some subnet in of_type("aws_subnet")
	values(subnet).map_public_ip_on_launch == true
	sentence := sprintf("public_instance: %s gives a public address to everything started in it; set map_public_ip_on_launch to false.", [subnet.address])
}

nat_gateways_max := {"always": 1, "soft": 1, "lab": 1}

deny contains sentence if {
	profile := input.variables.profile.value
	count(of_type("aws_nat_gateway")) > nat_gateways_max[profile]
	sentence := sprintf("nat_gateways: the plan has %d NAT gateways, profile %s carries %d; each costs 46.72 USD a month. Set nat_mode to single.", [count(of_type("aws_nat_gateway")), profile, nat_gateways_max[profile]])
}

deny contains sentence if {
	some change in input.resource_changes
	change.type in {"aws_vpn_connection", "aws_vpn_gateway", "aws_customer_gateway"}
	"delete" in change.change.actions
	sentence := sprintf("vpn_kept: the plan would %s %s: the tunnel would come back with new addresses and keys, and the firewall would have to be set up again. Undo the change that replaces it; taking the tunnel down for good is done with make destroy-network.", [concat(" and ", change.change.actions), change.address])
}

deny contains sentence if {
	some connection in of_type("aws_vpn_connection")
	some argument in ["tunnel1_preshared_key", "tunnel2_preshared_key"]
	is_string(values(connection)[argument])
	connection.change.actions == ["create"]
	sentence := sprintf("preshared_key: %s has %s in the configuration, so it would lie in the state; leave it out, AWS makes the key and keeps it in Secrets Manager.", [connection.address, argument])
}

deny contains sentence if {
	some version in of_type("aws_secretsmanager_secret_version")
	some argument in ["secret_string", "secret_binary"]
	is_string(values(version)[argument])
	sentence := sprintf("plain_secret: %s has %s, so the secret lies in the state; use secret_string_wo with an ephemeral value.", [version.address, argument])
}

# ---- machines

deny contains sentence if {
	some kind in ["aws_instance", "aws_launch_template"]
	some machine in of_type(kind)
	not imdsv2(values(machine))
	sentence := sprintf("imdsv2: %s answers metadata requests without a token or over more than one hop; set http_tokens to required and http_put_response_hop_limit to 1.", [machine.address])
}

imdsv2(machine) if {
	options := machine.metadata_options[0]
	options.http_tokens == "required"
	options.http_put_response_hop_limit == 1
}

deny contains sentence if {
	some volume in volumes
	not encrypted_gp3(volume)
	sentence := sprintf("encrypted_gp3: a volume of %s is not an encrypted gp3; set encrypted to true and the type to gp3.", [volume.address])
}

volumes contains {"address": change.address, "encrypted": values(change).encrypted, "type": values(change).type} if {
	some change in of_type("aws_ebs_volume")
}

volumes contains {"address": change.address, "encrypted": disk.encrypted, "type": disk.volume_type} if {
	some change in of_type("aws_instance")
	some disk in values(change).root_block_device
}

volumes contains {"address": change.address, "encrypted": disk.encrypted, "type": disk.volume_type} if {
	some change in of_type("aws_launch_template")
	some mapping in values(change).block_device_mappings
	some disk in mapping.ebs
}

encrypted_gp3(volume) if {
	volume.encrypted in {true, "true"}
	volume.type == "gp3"
}

# ---- cluster

deny contains sentence if {
	some cluster in of_type("aws_eks_cluster")
	not standard(values(cluster))
	sentence := sprintf("standard_support: %s may slip into extended support, which costs 365 USD a month more; set upgrade_policy.support_type to STANDARD.", [cluster.address])
}

standard(cluster) if cluster.upgrade_policy[0].support_type == "STANDARD"

deny contains sentence if {
	some cluster in of_type("aws_eks_cluster")
	values(cluster).vpc_config[0].endpoint_public_access
	guests := object.get(values(cluster).vpc_config[0], "public_access_cidrs", null)
	open(guests)
	sentence := sprintf("private_endpoint: %s is reachable from the whole Internet; leave eks_public_access_cidrs empty or name single addresses.", [cluster.address])
}

open(guests) if not is_array(guests)

open(guests) if "0.0.0.0/0" in guests

# ---- database

deny contains sentence if {
	some balancer in of_type("aws_lb")
	values(balancer).load_balancer_type == "network"
	not values(balancer).internal == true
	sentence := sprintf("internal_database: %s would put the database on the Internet; set internal to true.", [balancer.address])
}

# ---- logs, tags, money, rights

deny contains sentence if {
	some group in of_type("aws_cloudwatch_log_group")
	not retained(values(group))
	sentence := sprintf("log_retention: %s keeps its lines for ever or longer than 30 days; set retention_in_days to 1..30.", [group.address])
}

retained(group) if {
	group.retention_in_days >= 1
	group.retention_in_days <= 30
}

deny contains sentence if {
	some change in planned
	"tags_all" in object.keys(values(change))
	missing := {"Project", "Env", "Owner", "Ttl"} - object.keys(values(change).tags_all)
	count(missing) > 0
	sentence := sprintf("tags: %s lacks %s; the provider's default_tags must carry all four.", [change.address, concat(", ", sort(missing))])
}

deny contains sentence if {
	count(of_type("aws_vpc")) > 0
	not guarded
	sentence := "budget: the plan makes a network without a budget of at most 450 USD; keep the cost_guard module and monthly_budget_usd <= 450."
}

guarded if {
	some budget in of_type("aws_budgets_budget")
	to_number(values(budget).limit_amount) <= 450
	values(budget).time_unit == "MONTHLY"
	count(values(budget).notification) >= 4
}

deny contains sentence if {
	some change in of_type("aws_iam_role_policy")
	some statement in json.unmarshal(values(change).policy).Statement
	"cloudwatch:PutMetricData" in as_set(statement.Action)
	not bound(statement)
	sentence := sprintf("metric_namespace: %s lets metrics into any name space, at 0.30 USD each; add the condition on cloudwatch:namespace.", [change.address])
}

as_set(words) := {words} if is_string(words)

as_set(words) := {word | some word in words} if is_array(words)

bound(statement) if is_string(statement.Condition.StringEquals["cloudwatch:namespace"])

bound(statement) if statement.Condition.Null["cloudwatch:namespace"] == "true"

deny contains sentence if {
	some bucket in of_type("aws_s3_bucket")
	not shut
	sentence := sprintf("state_public: %s has no complete public access block in the same plan; add one with all four switches on.", [bucket.address])
}

shut if {
	buckets := count(of_type("aws_s3_bucket"))
	blocks := {change.address |
		some change in of_type("aws_s3_bucket_public_access_block")
		values(change).block_public_acls
		values(change).block_public_policy
		values(change).ignore_public_acls
		values(change).restrict_public_buckets
	}
	count(blocks) >= buckets
}
