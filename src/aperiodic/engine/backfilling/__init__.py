"""Public archives → ticks: fetch, verify, read, and write a day at a time."""
