"""Recording what exchanges send, frame by frame as it arrives: `aperiodic capture`."""
