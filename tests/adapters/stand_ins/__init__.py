"""Layers with the parameters, shapes and arithmetic of those that people train.

Each is written anew from a description of the original, whose package cannot be
installed everywhere; only what an adapter must know is kept.
"""
