"""The loader: files of other registers, NDJSON or CSV, become the same records that the gateway makes."""
