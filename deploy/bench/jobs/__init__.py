"""Public jobs of other benchmarks as stages of the workers' runtime; nothing of them is part of a deployment."""
