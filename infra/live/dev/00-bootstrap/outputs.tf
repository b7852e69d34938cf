output "state_bucket" {
  description = "Bucket of all states; goes into state_location and backend.hcl."
  value       = aws_s3_bucket.state.bucket
}
