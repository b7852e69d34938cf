output "chart_values" {
  description = "Values for the collector's chart: image, rights, groups and the series cap that the price and the alarm use."
  value = {
    cluster               = local.compute.cluster.name
    region                = var.region
    image                 = local.network.repository_urls["skybridge"]
    role_arn              = module.observability.collector_role_arn
    log_group_names       = module.observability.log_group_names
    cloudwatch_max_series = var.cloudwatch_max_series
    target_groups         = merge(local.compute.internal.target_group_arns, { web = local.compute.web.target_group_arn })
    database_endpoints    = [for address in values(local.compute.internal.addresses) : "${address}:5432"]
  }
}
