"""
Proofs: that a log, or a copy of it, gave a number out (docs/delivery.md#proof).

A relay shows the proof of its last number after a restart. Only a server that had the log's key can have made it.
"""

import hashlib
import hmac
import secrets

from stork_node.protocol.positions import Position

KEY_BYTES = 32
_PROOF_BYTES = 8  # whoever guesses has to ask the replay port each time


def new_key() -> str:
    """A key of a log: random hexadecimal characters."""
    return secrets.token_hex(KEY_BYTES // 2)


class Proofs:
    """Makes and checks proofs with the ``key`` of a log, of at most ``KEY_BYTES`` in ASCII."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._began: tuple[str, str] | None = None
        self._hash = self._begin("", "")

    def of(self, position: Position, run: str) -> str:
        """The proof that ``run`` gave this position out, or everything up to it: 16 hexadecimal characters."""
        if self._began != (position.epoch, run):  # a push has no time to begin anew
            self._began, self._hash = (position.epoch, run), self._begin(position.epoch, run)
        proof = self._hash.copy()
        proof.update(b"%d" % position.sequence)
        return proof.hexdigest()

    def holds(self, proof: str, position: Position, run: str) -> bool:
        """Whether ``proof`` is the one of this position; all three come from strangers."""
        made = self._begin(position.epoch, run)
        made.update(b"%d" % position.sequence)
        return hmac.compare_digest(made.hexdigest().encode(), proof.encode())

    def _begin(self, epoch: str, run: str) -> "hashlib.blake2s":
        # No epoch and no run of a server has a colon: nobody can divide the text in another way.
        return hashlib.blake2s(f"{epoch}:{run}:".encode(), key=self._key, digest_size=_PROOF_BYTES)
