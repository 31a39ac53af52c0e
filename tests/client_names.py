"""The names that large programs of Theano's time use: libraries of layers, samplers, tutorials.

``NAMES`` resolve. ``LATER`` come with GPUs. ``GONE`` were gone in Theano's last release, and
programs that still ask for them catch the ImportError.
"""

from __future__ import annotations

from reference_names import listed

NAMES = listed("""
    theano theano.Apply theano.In theano.Mode theano.Op theano.OpFromGraph
    theano.OrderedUpdates theano.Variable theano._asarray theano.as_op theano.clone
    theano.compile.SharedVariable theano.compile.mode.get_default_mode
    theano.compile.ops.as_op theano.compile.profiling.ProfileStats
    theano.compile.sharedvalue.SharedVariable theano.compile.view_op theano.config
    theano.config.compute_test_value theano.config.device theano.config.floatX
    theano.config.mode theano.config.warn.subtensor_merge_bug
    theano.configparser._config_var_list theano.configparser.change_flags theano.foldl
    theano.foldr theano.function theano.gof.Apply theano.gof.MissingInputError theano.gof.Op
    theano.gof.Op.__call__ theano.gof.Variable theano.gof.fg.MissingInputError
    theano.gof.graph theano.gof.graph.Constant theano.gof.graph.Variable
    theano.gof.graph.ancestors theano.gof.graph.inputs theano.gof.graph.io_toposort
    theano.gof.graph.is_same_graph theano.gof.graph.stack_search theano.grad theano.gradient
    theano.gradient.NullTypeGradError theano.gradient.disconnected_grad theano.gradient.grad
    theano.gradient.grad_clip theano.ifelse.ifelse theano.map theano.printing
    theano.printing.Print theano.sandbox.rng_mrg theano.sandbox.rng_mrg.MRG_RandomStreams
    theano.sandbox.softsign.softsign theano.scalar theano.scalar.UnaryScalarOp
    theano.scalar.basic.Identity theano.scalar.basic_scipy.GammaLn
    theano.scalar.basic_scipy.Psi theano.scalar.sgn theano.scalar.upcast
    theano.scalar.upgrade_to_float theano.scalar.upgrade_to_float_no_complex theano.scan
    theano.scan_module.scan_op.Scan theano.scan_module.scan_utils.equal_computations
    theano.scan_module.until theano.shared theano.sparse theano.sparse.SparseType
    theano.sparse.as_sparse theano.sparse.as_sparse_variable
    theano.sparse.basic._is_sparse_variable theano.sparse.basic.as_sparse
    theano.sparse.basic.hstack theano.sparse.basic.structured_dot theano.sparse.basic.vstack
    theano.sparse.csr_matrix theano.sparse.dense_from_sparse theano.sparse.dot
    theano.sparse.matrix theano.tensor theano.tensor.Apply theano.tensor.Constant
    theano.tensor.Elemwise theano.tensor.Op theano.tensor.Rop theano.tensor.Tensor
    theano.tensor.TensorConstant theano.tensor.TensorType theano.tensor.TensorVariable
    theano.tensor.Variable theano.tensor.abs_ theano.tensor.add theano.tensor.addbroadcast
    theano.tensor.advanced_set_subtensor1 theano.tensor.all theano.tensor.allclose
    theano.tensor.alloc theano.tensor.and_ theano.tensor.any theano.tensor.arange
    theano.tensor.arctan theano.tensor.arctan2 theano.tensor.arctanh theano.tensor.argmax
    theano.tensor.argmin theano.tensor.argsort theano.tensor.as_tensor
    theano.tensor.as_tensor_variable theano.tensor.batched_dot
    theano.tensor.batched_tensordot theano.tensor.bscalar theano.tensor.cast
    theano.tensor.ceil theano.tensor.clip theano.tensor.concatenate theano.tensor.constant
    theano.tensor.cos theano.tensor.cosh theano.tensor.cumsum theano.tensor.diag
    theano.tensor.dmatrix theano.tensor.dot theano.tensor.dscalar theano.tensor.dvector
    theano.tensor.eq theano.tensor.erf theano.tensor.erfc theano.tensor.erfcinv
    theano.tensor.erfcx theano.tensor.erfinv theano.tensor.exp theano.tensor.expm1
    theano.tensor.extra_ops.cumprod theano.tensor.extra_ops.cumsum
    theano.tensor.extra_ops.repeat theano.tensor.extra_ops.to_one_hot theano.tensor.eye
    theano.tensor.fill theano.tensor.fill_diagonal theano.tensor.flatten theano.tensor.floor
    theano.tensor.fmatrix theano.tensor.fscalar theano.tensor.ftensor4
    theano.tensor.gammainc theano.tensor.gammaln theano.tensor.ge theano.tensor.grad
    theano.tensor.gt theano.tensor.i0 theano.tensor.i1 theano.tensor.identity_like
    theano.tensor.imatrix theano.tensor.inc_subtensor theano.tensor.inv
    theano.tensor.iscalar theano.tensor.isclose theano.tensor.isinf theano.tensor.isnan
    theano.tensor.ivector theano.tensor.jacobian theano.tensor.join theano.tensor.le
    theano.tensor.lmatrix theano.tensor.log theano.tensor.log1p theano.tensor.lscalar
    theano.tensor.lt theano.tensor.lvector theano.tensor.matrices theano.tensor.matrix
    theano.tensor.max theano.tensor.maximum theano.tensor.mean theano.tensor.min
    theano.tensor.minimum theano.tensor.mod theano.tensor.mul theano.tensor.neq
    theano.tensor.nlinalg.det theano.tensor.nlinalg.diag theano.tensor.nlinalg.eigh
    theano.tensor.nlinalg.extract_diag theano.tensor.nlinalg.matrix_dot
    theano.tensor.nlinalg.matrix_inverse theano.tensor.nlinalg.trace theano.tensor.nnet
    theano.tensor.nnet.abstract_conv
    theano.tensor.nnet.abstract_conv.AbstractConv2d_gradInputs
    theano.tensor.nnet.abstract_conv.AbstractConv2d_gradWeights
    theano.tensor.nnet.abstract_conv.AbstractConv3d_gradInputs
    theano.tensor.nnet.abstract_conv.bilinear_upsampling
    theano.tensor.nnet.abstract_conv.get_conv_output_shape
    theano.tensor.nnet.binary_crossentropy theano.tensor.nnet.bn
    theano.tensor.nnet.bn.batch_normalization theano.tensor.nnet.bn.batch_normalization_test
    theano.tensor.nnet.bn.batch_normalization_train
    theano.tensor.nnet.categorical_crossentropy theano.tensor.nnet.conv.conv2d
    theano.tensor.nnet.conv2d theano.tensor.nnet.conv3d theano.tensor.nnet.elu
    theano.tensor.nnet.hard_sigmoid theano.tensor.nnet.nnet.softsign theano.tensor.nnet.relu
    theano.tensor.nnet.sigmoid theano.tensor.nnet.softmax theano.tensor.nnet.softplus
    theano.tensor.ones theano.tensor.ones_like theano.tensor.or_ theano.tensor.outer
    theano.tensor.patternbroadcast theano.tensor.pow theano.tensor.power theano.tensor.prod
    theano.tensor.repeat theano.tensor.reshape theano.tensor.roll theano.tensor.round
    theano.tensor.scalar theano.tensor.set_subtensor theano.tensor.sgn theano.tensor.shape
    theano.tensor.shape_padaxis theano.tensor.shape_padleft theano.tensor.shape_padright
    theano.tensor.shared_randomstreams.RandomStateSharedVariable
    theano.tensor.sharedvar.SharedVariable theano.tensor.sharedvar.TensorSharedVariable
    theano.tensor.signal.pool theano.tensor.signal.pool.Pool
    theano.tensor.signal.pool.Pool.out_shape theano.tensor.signal.pool.pool_2d
    theano.tensor.signal.pool.pool_3d theano.tensor.sin theano.tensor.sinh
    theano.tensor.slinalg theano.tensor.slinalg.Cholesky theano.tensor.slinalg.Solve
    theano.tensor.slinalg.cholesky theano.tensor.slinalg.kron theano.tensor.slinalg.solve
    theano.tensor.slinalg.solve_lower_triangular
    theano.tensor.slinalg.solve_upper_triangular theano.tensor.sort theano.tensor.sqr
    theano.tensor.sqrt theano.tensor.square theano.tensor.squeeze theano.tensor.stack
    theano.tensor.std theano.tensor.sub theano.tensor.subtensor.Subtensor theano.tensor.sum
    theano.tensor.switch theano.tensor.tan theano.tensor.tanh theano.tensor.tensor3
    theano.tensor.tensor4 theano.tensor.tensordot theano.tensor.tile theano.tensor.transpose
    theano.tensor.unbroadcast theano.tensor.var theano.tensor.vector theano.tensor.vectors
    theano.tensor.where theano.tensor.xlogx.xlogy0 theano.tensor.zeros
    theano.tensor.zeros_like theano.theano
""")

LATER = listed("""
    theano.gpuarray theano.gpuarray.dnn theano.gpuarray.get_context theano.gpuarray.use
""")

GONE = listed("theano.sandbox.cuda theano.sandbox.cuda.dnn theano.sandbox.gpuarray")

#: attributes of symbolic arrays, shared variables and functions
VARIABLE = listed("""
    shape eval ndim mean astype sum dtype dimshuffle reshape T all dot log prod size exp flatten
    sqrt broadcastable copy norm var tanh max sort swapaxes std transpose ravel any zeros_like
    nonzero cumsum ones_like min argmax argsort squeeze round floor ceil repeat trace diagonal
    log1p get_parents tan sin choose cos expm1 cumprod searchsorted log10
""")
SHARED = listed("get_value set_value container filter filter_update default_update zero clone")
FUNCTION = listed("value copy fn defaults container indices maker name trust_input free")
