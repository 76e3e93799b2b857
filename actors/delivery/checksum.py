"""A checksum on what a durable store keeps, so that nothing that was damaged is delivered. Pure."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["checksum"]


def checksum(*texts: str) -> str:
    """16 hexadecimal digits of these texts and of where one ends and the next begins.

    It finds accidents, with one chance in 2**64 to miss one; it is no protection against somebody who
    changes the checksum as well.
    """
    digest = blake2b(digest_size=8)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()
