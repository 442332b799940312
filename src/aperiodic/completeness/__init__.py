"""What is known to be missing: spans and gaps, the condition of days, coverage of series."""
