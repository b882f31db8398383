"""Commands of `nivaran` that need no deployment."""
