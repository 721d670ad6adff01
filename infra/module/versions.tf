terraform {
  required_version = ">= 1.9" # for validations that refer to a second variable

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
