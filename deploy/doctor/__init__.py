"""What is missing on this machine or in this deployment, and what to do about it."""
