"""What the methods share: balanced coordinates, and how systems get into them and out.

- `balancing`: characteristic values and projections from any pair of Gramian factors;
  `gramian_balancing`: from Gramians that are known as matrices only.
- `generalized_balancing`: truncation by the Gramians of a method of its own, with what
  the method promises; `definite_input` and `limited_balancing` make indefinite
  right-hand sides definite, which gives bounds.
- `riccati_balancing`: the same by the solutions of two Riccati equations.
- `continuous_frame`: discrete systems as continuous ones, and back; `transformations`:
  projected, evenly scaled and adjoint systems.
- `truncation`: balanced truncation of systems and stacks of them; for diagonal systems
  `diagonal_truncation`, `stored_modes` and `pole_separation` bring it back to modes;
  `state_selection` keeps other states than those of the largest values.
"""
