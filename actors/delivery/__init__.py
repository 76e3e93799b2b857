"""Store and forward: a posted message is safe before its receiver exists."""
