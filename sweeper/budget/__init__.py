"""The ground: what may be spent, in numbers. Standard library only, and little of it."""
