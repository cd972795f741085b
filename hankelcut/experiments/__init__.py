"""Tasks, recipes, baselines, the runner and its report: real training, end to end."""
