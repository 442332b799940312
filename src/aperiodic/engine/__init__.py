"""Recordings become ticks, ticks become bars, bars become published months."""
