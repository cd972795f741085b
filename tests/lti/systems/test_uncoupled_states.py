import itertools

import numpy as np
import scipy.linalg

from hankelcut.lti.systems._uncoupled_states import uncoupled_states


def parts_of(A):
    """The parts as a set of sets of states."""
    return {frozenset(part.tolist()) for group in uncoupled_states(A) for part in group}


def test_shuffled_blocks_are_found(rng):
    sizes = [1, 3, 2, 3, 1, 4]
    blocks = scipy.linalg.block_diag(*(np.ones((k, k)) for k in sizes))
    ends = np.cumsum([0, *sizes])
    order = rng.permutation(14)
    place = np.argsort(order)
    expected = {
        frozenset(place[start:end].tolist()) for start, end in itertools.pairwise(ends)
    }
    assert parts_of(blocks[np.ix_(order, order)]) == expected
    groups = uncoupled_states(blocks)
    assert [group.shape for group in groups] == [(2, 1), (1, 2), (2, 3), (1, 4)]


def test_couplings_in_one_direction_join(rng):
    # One chain of all states, in some order, coupled downwards only.
    n = 50
    order = rng.permutation(n)
    chain = np.eye(n, k=1)[np.ix_(order, order)]
    assert [group.shape for group in uncoupled_states(chain)] == [(1, n)]


def test_full_and_empty_matrices():
    for full in (np.ones((5, 5)), np.eye(5) + np.eye(5)[:, :1], np.ones((1, 1))):
        (group,) = uncoupled_states(full)
        np.testing.assert_array_equal(group, [np.arange(len(full))])
    (group,) = uncoupled_states(np.zeros((4, 4)))
    np.testing.assert_array_equal(np.sort(group[:, 0]), np.arange(4))
