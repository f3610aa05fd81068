"""One job outside a sweep: reserved, submitted once, settled."""
