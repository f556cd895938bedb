"""Numbers that can be trusted: scores with signatures, significance, probes."""
