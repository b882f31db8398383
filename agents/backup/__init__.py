"""A whole deployment's topics as files, and back: every record at the offset it had."""
