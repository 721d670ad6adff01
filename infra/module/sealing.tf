# The KMS key that wraps the keys of sealed sessions. It never leaves KMS. A wrapped key is stored together with its session, so
# access to the table, its backups or its exports is not enough to open a session.

resource "aws_kms_key" "sealing" {
  description             = "Wraps the keys of sealed sessions of ${var.name}"
  enable_key_rotation     = true # KMS keeps earlier key material, and selects it itself
  deletion_window_in_days = 30   # the maximum, because without the key every session is lost
  policy                  = data.aws_iam_policy_document.sealing_key.json
}

resource "aws_kms_alias" "sealing" {
  name          = "alias/${var.name}-sealing"
  target_key_id = aws_kms_key.sealing.key_id
}

locals {
  # Authenticated together with every wrapped key. The functions send it with each request (functions/aws/src/sealing.rs).
  sealing_context = { variable = "kms:EncryptionContext:carillon", values = [var.name] }
}

# Administrators of the account administer the key but cannot use it; the two functions use the key but cannot administer it.
data "aws_iam_policy_document" "sealing_key" {
  #checkov:skip=CKV_AWS_109:The resource of a key's own policy is the key.
  #checkov:skip=CKV_AWS_111:The resource of a key's own policy is the key.
  #checkov:skip=CKV_AWS_356:The resource of a key's own policy is the key.
  statement {
    sid = "Administer"
    actions = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:DisableKeyRotation",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListAliases",
      "kms:ListGrants",
      "kms:ListKeyPolicies",
      "kms:ListKeyRotations",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:RotateKeyOnDemand",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }

  statement {
    sid       = "Seal"
    actions   = ["kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.function["api"].arn]
    }

    condition {
      test     = "StringEquals"
      variable = local.sealing_context.variable
      values   = local.sealing_context.values
    }
  }

  statement {
    sid       = "Open"
    actions   = ["kms:Decrypt"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [for role in aws_iam_role.function : role.arn]
    }

    condition {
      test     = "StringEquals"
      variable = local.sealing_context.variable
      values   = local.sealing_context.values
    }
  }
}
