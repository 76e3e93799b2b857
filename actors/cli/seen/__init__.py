"""`actors top` and `actors why`: a running system, seen from outside."""

__all__: list[str] = []
