output "api_endpoint" {
  description = "Address of the API."
  value       = module.carillon.api_endpoint
}

output "carillon" {
  description = "Everything that the module tells: addresses, names and ARNs."
  value       = module.carillon
}
