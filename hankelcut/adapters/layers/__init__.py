"""One adapter for each kind of layer."""
