"""Gramians, their factors, and the Hankel singular values they give."""
