"""Parts of ``solve_mathorcup.py``: the case and its lattice, sectors, and an independent recount."""
