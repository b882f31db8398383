"""Sandbox gateways in the published forms: each refuses what its document says is refused."""
