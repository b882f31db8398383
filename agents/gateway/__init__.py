"""The HTTP gateway: submissions, actions and SMS receipts come in, cases and escalations are read."""
