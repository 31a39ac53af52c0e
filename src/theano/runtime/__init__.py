"""What compiled programs need while they run: memory, threads, BLAS, C API, disk cache."""
