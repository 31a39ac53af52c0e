"""Library routines of ours: what a loop nest cannot say (running sums, sorting, factorisations).

One module per family; each routine has its meaning in NumPy and its native text side by side.
"""
