"""WhatsApp Cloud API: its webhook comes in, replies go out to its messages endpoint."""
