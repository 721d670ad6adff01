# The table of all jobs, runs, products and API keys. It holds all state; the queues hold references.

locals {
  # Attributes in the index by_status. With KEYS_ONLY an index entry takes one write unit, and a write that changes no key
  # leaves the index alone; in return, a list costs one more read for each job that it shows. INCLUDE with attributes is the
  # opposite choice.
  by_status_projection = { type = "KEYS_ONLY", attributes = null }
}

resource "aws_dynamodb_table" "carillon" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST" # costs nothing while idle, and needs no capacity planning
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  attribute {
    name = "gsi1pk"
    type = "S"
  }

  attribute {
    name = "gsi1sk"
    type = "S"
  }

  global_secondary_index {
    name               = "by_status"
    hash_key           = "gsi1pk"
    range_key          = "gsi1sk"
    projection_type    = local.by_status_projection.type
    non_key_attributes = local.by_status_projection.attributes
  }

  point_in_time_recovery {
    enabled = true
  }

  # DynamoDB deletes expired items within days, so readers filter them.
  ttl {
    enabled        = true
    attribute_name = "expires_at"
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}

# The first API key. Keyed by the hash, so that another hash is another item and the old key is void at once. Terraform ignores
# later changes of the item, which the service makes.
resource "aws_dynamodb_table_item" "first_api_key" {
  for_each = toset(var.first_api_key_sha256[*])

  table_name = aws_dynamodb_table.carillon.name
  hash_key   = aws_dynamodb_table.carillon.hash_key
  range_key  = aws_dynamodb_table.carillon.range_key

  item = jsonencode({
    pk = { S = "KEY#${each.key}" }
    sk = { S = "KEY" }
    doc = { S = jsonencode({
      id         = "first"
      name       = "first key"
      products   = ["*"]
      envs       = ["*"]
      scopes     = ["jobs:read", "jobs:write", "catalog:write", "sessions:mint"]
      created_at = 0
    }) }
  })

  lifecycle {
    ignore_changes = [item]
  }
}
