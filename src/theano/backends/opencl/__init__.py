"""OpenCL: kernels as OpenCL C 1.2, run through pyopencl (the extra ``theano[opencl]``).

Nothing here is imported before a function is made for a device, nor pyopencl before it is needed.
"""
