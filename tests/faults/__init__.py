"""The matrix of faults: each strikes under load, says whether it did, and is audited from the input log."""
