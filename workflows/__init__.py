"""What happens in which order. Deterministic code without I/O: it runs inside Temporal workflows."""
