"""What no worker can tell of itself: how far each group is behind, and how the helpline stands."""
