"""`actors post`, `actors tickets` and `actors dead`: posted messages, seen from outside."""

__all__: list[str] = []
