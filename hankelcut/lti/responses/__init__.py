"""What a system does: in time, over frequency, at its peak."""
