"""Short, plain implementations that are right, to put defects into."""
