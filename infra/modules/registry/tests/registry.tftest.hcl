variables {
  name = "lab"
}

run "images_cannot_be_replaced" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this["skybridge"].image_tag_mutability == "IMMUTABLE"
    error_message = "A tag means one image for ever."
  }
  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this["skybridge"].policy).rules[0].selection.countNumber == 10
    error_message = "Ten images stay."
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.artifacts.restrict_public_buckets
    error_message = "The bucket is private."
  }
}

run "words_out_of_range_are_refused" {
  command = plan
  variables {
    name         = "X"
    repositories = ["Upper"]
    images_kept  = 0
    tags         = { "aws:x" = "y" }
  }
  expect_failures = [var.name, var.repositories, var.images_kept, var.tags]
}
