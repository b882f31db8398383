"""The case machine: from registration through disposal, feedback and escalation to closing."""
