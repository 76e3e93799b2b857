"""The commands with which a person sees what programs ask, and answers."""

__all__: list[str] = []
