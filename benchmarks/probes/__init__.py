"""Probe games: what an algorithm can learn, told in seconds each."""
