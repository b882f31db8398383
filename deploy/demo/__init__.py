"""The demonstration: three weeks of a helpline through every process of a deployment, checked to the last record."""
