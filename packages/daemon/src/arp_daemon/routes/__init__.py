"""The daemon's HTTP surface. Each endpoint function bears the operationId of the contract."""
