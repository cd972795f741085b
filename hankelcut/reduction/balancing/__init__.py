"""Balancing and what diagonal systems need beyond it."""
