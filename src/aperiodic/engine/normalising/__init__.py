"""Recordings → ticks while they grow; mappers live on from file to file, and every commit says how far it goes."""

from aperiodic.engine.normalising.normaliser import Normaliser, Progress

__all__ = ["Normaliser", "Progress"]
