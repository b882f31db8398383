"""Examples for those downstream: each file stands alone and imports nothing of Nivaran."""
