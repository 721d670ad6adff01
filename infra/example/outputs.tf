output "api_endpoint" {
  description = "Address of the API."
  value       = module.carillon.api_endpoint
}

output "carillon" {
  description = "All outputs of the module: addresses, names and ARNs."
  value       = module.carillon
}
