"""Reports: what a store holds and what its answers are worth, in one page for people."""
