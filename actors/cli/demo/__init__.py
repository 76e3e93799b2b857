"""`actors demo`: an index of text files, made by supervised processes of which some misbehave."""

__all__: list[str] = []
