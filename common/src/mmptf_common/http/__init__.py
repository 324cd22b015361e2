"""What every request passes: middleware, identity, parameters, conditional requests, problems, the contract."""
