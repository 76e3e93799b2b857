"""The work of each peer: these modules import it, so nobody imports them before it is needed."""
