"""E-mail as a way in: letters from a folder or a mailbox become the same records that the gateway makes."""
