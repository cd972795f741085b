"""How layers are cut: plans made off to the side, then one exchange of everything."""
