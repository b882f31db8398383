"""The reconciliation: everything a running system holds, recomputed from its logs and compared."""
