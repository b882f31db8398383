"""Everything a deployment runs, as processes of one machine: for the demonstration, the real cases and the tests."""

from deploy.fleet.fleet import Fleet
from deploy.fleet.service import FleetError

__all__ = ["Fleet", "FleetError"]
