"""Other toolboxes, asked the same questions; each is imported when it is asked."""

from hankelcut.validation.peers.control_peer import ControlPeer
from hankelcut.validation.peers.peer import Answer, Fault, Peer, Problem, Quantity
from hankelcut.validation.peers.pymor_peer import PymorPeer
from hankelcut.validation.peers.slycot_peer import SlycotPeer

__all__ = [
    "PEERS",
    "Answer",
    "ControlPeer",
    "Fault",
    "Peer",
    "Problem",
    "PymorPeer",
    "Quantity",
    "SlycotPeer",
]

PEERS: dict[str, Peer] = {
    "control": ControlPeer(),
    "slycot": SlycotPeer(),
    "pymor": PymorPeer(),
}
"""Every peer by the name of its package."""
