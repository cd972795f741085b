"""The methods of reduction: one public function in each module without an underscore.

Such a module holds the function, and what it makes of a system, a `Decomposition` that
`reduction_method.reduce_with` cuts to the order of the target. Modules with an
underscore are kernels of one method, or of a few: `_all_pass_embedding` of the
Hankel-norm approximation, `_stochastic_balancing` of the balanced stochastic
truncation, `_weights` of the frequency-weighted one, `_h2_error`, `_h2_descent` and
`_h2_refinement` of `irka` and `balance_and_refine`.
"""
