"""`actors run --team`: team templates, their sizes and names, and how a team says that it is ready."""

__all__: list[str] = []
