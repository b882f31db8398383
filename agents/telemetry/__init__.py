"""What the processes tell of themselves: metrics, traces, logs."""
