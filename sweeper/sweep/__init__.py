"""The conductor: reattach; then collect, judge, launch until a rule says stop; then drain."""
