"""What the pure core costs in instructions, which a busy machine does not change."""
