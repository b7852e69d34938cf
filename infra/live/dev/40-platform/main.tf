# What Kubernetes needs from AWS, as rights and as chart values. No Kubernetes provider: at the first
# apply the private endpoint is not reachable yet.

data "terraform_remote_state" "network" {
  backend = var.state_backend
  config  = local.state_of["10-network"]
}

data "terraform_remote_state" "data" {
  backend = var.state_backend
  config  = local.state_of["20-data"]
}

data "terraform_remote_state" "compute" {
  backend = var.state_backend
  config  = local.state_of["30-compute"]
}

locals {
  network = data.terraform_remote_state.network.outputs
  data    = data.terraform_remote_state.data.outputs
  compute = data.terraform_remote_state.compute.outputs
}

module "observability" {
  source = "../../../modules/observability"

  name                  = var.project
  cluster_name          = local.compute.cluster.name
  cloudwatch_max_series = var.cloudwatch_max_series
  cloudwatch_otlp       = var.cloudwatch_otlp
  database_instance_ids = local.data.database.instance_ids
  topic_arn             = local.network.topic_arn
}
