"""Notebooks: short programs with words between them, and what they really printed."""
