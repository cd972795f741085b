"""Do the checks of `hankelcut.validation` catch defects?

Every defect is put into a copy of a plain implementation that is right, which goes
through the checks of its kind; the same checks must pass the copy without a defect.
``python -m tests.mutation_study`` counts and writes docs/validation.md.
"""
