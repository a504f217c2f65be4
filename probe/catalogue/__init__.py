"""Misbehaving servers."""
