"""What a citizen says in messages and what he is answered: WhatsApp's guided talk, the pull SMS; pure."""
