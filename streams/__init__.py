"""What Nivaran decides: pure stages over ordered logs. No I/O, clock, randomness or environment in here."""
