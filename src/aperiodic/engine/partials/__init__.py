"""Partials: mergeable states of bars, filled by one pass over the ticks of a day."""
