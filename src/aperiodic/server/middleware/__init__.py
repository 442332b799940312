"""What every request passes through: access log, limits, counters, conditional requests."""
