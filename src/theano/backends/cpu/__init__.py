"""The CPU backend: kernels as explicit-vector LLVM text, compiled in the process."""
