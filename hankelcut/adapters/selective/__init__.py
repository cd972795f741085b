"""Layers whose systems depend on their inputs: what they compute, measured on data."""
