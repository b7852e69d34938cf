output "repository_urls" {
  description = "Where images are pushed, by repository."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "artifact_bucket" {
  description = "Name and ARN of the bucket with the agent's binary."
  value       = { name = aws_s3_bucket.artifacts.bucket, arn = aws_s3_bucket.artifacts.arn }
}
