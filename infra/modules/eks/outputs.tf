output "cluster_name" {
  description = "The cluster."
  value       = aws_eks_cluster.this.name
}

output "endpoint" {
  description = "Address of the API; private unless public ranges are given."
  value       = aws_eks_cluster.this.endpoint
}

output "node_group" {
  description = "What the night puts to sleep and the morning wakes."
  value = {
    cluster = aws_eks_cluster.this.name
    name    = aws_eks_node_group.this.node_group_name
    min     = var.nodes.min
    desired = var.nodes.desired
    max     = var.nodes.max
  }
}

output "cluster_security_group_id" {
  description = "Group of the nodes and the control plane, made by the service."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}
