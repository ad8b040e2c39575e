"""What a place or a base station may not be, and why."""
