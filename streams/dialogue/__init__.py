"""What a citizen says in messages and what he is answered: WhatsApp's guided talk, and the pull SMS. No I/O, no clock."""
