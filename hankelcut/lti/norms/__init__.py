"""How large a system is: H2, Hankel and H-infinity norms."""
