"""How a system can be taken apart: stability, minimality, balance."""
