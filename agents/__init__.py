"""Who does it: Faust agents, the gateway, the command line."""
