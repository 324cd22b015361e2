"""HTTP for every app: middleware, identity, parameters, conditional requests, problems, the contract."""
