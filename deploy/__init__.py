"""Where Nivaran runs: embedded services, containers, and the command line's entry."""
