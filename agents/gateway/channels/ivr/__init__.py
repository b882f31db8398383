"""The call centre's telephony: its call-backs, missed calls to be returned, recordings by reference."""
