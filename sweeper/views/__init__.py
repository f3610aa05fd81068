"""What people and Claude look at: pages, terminal, notes."""
