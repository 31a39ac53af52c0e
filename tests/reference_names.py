"""The names that programs written for Theano use, by the module that they come from.

``PRESENT`` holds what the tensor language is made of; every name resolves. ``LATER`` holds what
comes with later parts of the roadmap; a name that has come moves to the first table.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product


def listed(names: str) -> list[str]:
    """The names in a text."""
    return names.split()


KINDS = listed("scalar vector matrix row col tensor3 tensor4 tensor5 tensor6 tensor7")
PLURALS = [f"{kind}s" for kind in KINDS if kind != "matrix"] + ["matrices"]
TYPES = [prefix + kind for prefix, kind in product(["", *"bwilfdcz"], KINDS)]
PLURAL_TYPES = [prefix + kind for prefix, kind in product(["", *"fdil"], PLURALS)]
GROUPS = [
    f"{number}_{kind}_types"
    for number, kind in product(
        ["int", "float", "complex"], ["scalar", "vector", "matrix", "row", "col"]
    )
]

#: Methods and attributes of every symbolic tensor.
METHODS = listed("""
    type name owner index tag auto_name ndim dtype broadcastable shape size T real imag arccos
    arccosh arcsin arcsinh arctan arctanh ceil cos cosh deg2rad rad2deg exp exp2 expm1 floor log
    log10 log1p log2 sin sinh sqrt tan tanh trunc round clip conj conjugate sum prod mean var std
    min max argmin argmax any all ptp norm trace reshape dimshuffle flatten ravel transpose
    swapaxes squeeze repeat diagonal astype copy fill take choose compress sort argsort
    searchsorted cumsum cumprod nonzero nonzero_values zeros_like ones_like dot eval transfer
    get_scalar_constant_value get_parents
""")

_ELEMENTWISE = """
    add mul sub true_div int_div floor_div mod mod_check divmod pow power neg inv sqr square sqrt
    abs_ sgn ceil_intdiv exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan
    arctan2 sinh cosh tanh arcsinh arccosh arctanh deg2rad rad2deg ceil floor trunc round iround
    round_half_to_even round_half_away_from_zero lt gt le ge eq neq isnan isinf isclose allclose
    and_ or_ xor invert bitwise_and bitwise_or bitwise_xor bitwise_not switch where smallest
    largest maximum minimum clip erf erfc erfcx erfinv erfcinv gamma gammaln psi tri_gamma chi2sf
    gammainc gammaincc gammal gammau j0 j1 jv i0 i1 iv real imag angle complex conj conjugate
    complex_from_polar
"""

_TENSOR = """
    TensorType Tensor TensorVariable TensorConstant TensorSharedVariable SharedVariable Variable
    Constant Apply Op tensor int_types float_types complex_types int_dtypes uint_dtypes
    integer_dtypes float_dtypes continuous_dtypes discrete_dtypes complex_dtypes all_dtypes
    constant as_tensor_variable as_tensor _as_tensor_variable AsTensorError ShapeError
    NotScalarConstantError EmptyConstantError cast zeros ones alloc zeros_like ones_like fill
    second AllocEmpty eye identity_like tri tril triu diag diagonal AllocDiag ExtractDiag
    fill_diagonal fill_diagonal_offset arange mgrid ogrid stack stacklists concatenate join
    horizontal_stack vertical_stack split Split tensor_copy get_scalar_constant_value
    extract_constant get_vector_length shape Shape shape_i specify_shape SpecifyShape Rebroadcast
    addbroadcast unbroadcast patternbroadcast transfer default setdefault register_transfer load
    Elemwise DimShuffle CAReduce CAReduceDtype Sum Prod ProdWithoutZeros All Any sum prod mean
    var std max min argmax argmin max_and_argmax ptp any all cov bincount cumsum cumprod diff
    reshape flatten shape_padleft shape_padright shape_padaxis transpose swapaxes roll squeeze
    repeat tile compress choose take unravel_index ravel_multi_index searchsorted to_one_hot
    bartlett permute_row_elements inverse_permutation sort argsort topk argtopk topk_and_argtopk
    set_subtensor inc_subtensor nonzero nonzero_values flatnonzero Subtensor IncSubtensor
    AdvancedSubtensor1 AdvancedSubtensor AdvancedIncSubtensor1 AdvancedIncSubtensor
    AdvancedBooleanSubtensor AdvancedBooleanIncSubtensor advanced_set_subtensor1 dot tensordot
    batched_dot batched_tensordot outer grad Rop Lop jacobian hessian consider_constant
    verify_grad numeric_grad
"""

#: module: names. A dot in a name reaches into a class.
PRESENT: dict[str, str | list[str]] = {
    "theano": """
        function shared config Variable Constant Apply Op Type In Out Mode OrderedUpdates Generic
        generic dot grad Rop Lop clone sparse_grad get_scalar_constant_value _asarray as_op scan
        map reduce foldl foldr ifelse OpFromGraph tensor scalar sparse typed_list gradient
        printing
    """,
    "theano.tensor": _TENSOR + _ELEMENTWISE,
    "theano.tensor ": TYPES,
    "theano.tensor  ": PLURAL_TYPES,
    "theano.tensor   ": GROUPS,
    # 1.2
    "theano.tensor.sharedvar": "TensorSharedVariable ScalarSharedVariable SharedVariable",
    "theano.tensor.type": "TensorType",
    "theano.tensor.var": "TensorVariable TensorConstant _tensor_py_operators",
    "theano.tensor.type_other": """
        NoneConst none_type_t NoneTypeT SliceType slicetype MakeSlice make_slice SliceConstant
    """,
    "theano.tensor.basic": """
        TensorType as_tensor_variable constant NotScalarConstantError EmptyConstantError
        ShapeError get_scalar_constant_value extract_constant alloc Alloc AllocEmpty Join Split
        Eye ARange Reshape Tri Dot MakeVector tensor_copy choose default
    """,
    "theano.tensor.raw_random": """
        RandomStateType random_state_type RandomStreamsBase RandomFunction uniform normal
        binomial random_integers choice poisson permutation multinomial permutation_helper
        multinomial_helper random_integers_helper choice_helper
    """,
    "theano.gradient": """
        NullType DisconnectedType DisconnectedInputError NullTypeGradError GradientError
        disconnected_grad zero_grad undefined_grad grad_clip grad_scale consider_constant
        grad_undefined grad_not_implemented grad Rop Lop jacobian hessian verify_grad
        numeric_grad
    """,
    "theano.gof": "Generic generic Variable Constant Apply Op Type CDataType EnumType EnumList"
                  " CEnumType MissingInputError",
    "theano.gof.type": "Generic generic CDataType EnumType EnumList CEnumType",
    "theano.scalar": """
        Scalar bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64
        complex64 complex128 upcast ScalarOp UnaryScalarOp BinaryScalarOp Composite convert
        autocast_int autocast_float autocast_float_as upgrade_to_float
        upgrade_to_float_no_complex int_or_true_div UnaryBitOp BinaryBitOp LogicalComparison
        FixedLogicalComparison same_out upcast_out bool_out transfer_type as_scalar constant
        get_scalar_type ScalarVariable ScalarConstant sgn add mul exp
    """,
    "theano.scalar.basic": "Identity identity Add Mul Sub TrueDiv IntDiv Mod Pow Clip Second Cast"
                           " Abs Sgn Ceil Floor Exp Log Sqrt Sqr Tanh Maximum Minimum Switch",
    "theano.scalar.basic_scipy": """
        Erf Erfc Erfcx Erfinv Erfcinv Gamma GammaLn Psi TriGamma Chi2SF GammaInc GammaIncC GammaU
        GammaL Jv J1 J0 Iv I1 I0 erf gammaln psi
    """,
    "theano.scalar.basic_sympy": "SymPyCCode",
    "theano.scalar.sharedvar": "ScalarSharedVariable shared",
    # 1.4
    "theano.tensor.opt": "MakeVector Assert assert_ assert_op",
    "theano.tensor.io": "load LoadFromDisk send isend recv irecv mpi_cmps",
    "theano.tensor.utils": "shape_of_variables hash_from_ndarray",
    "theano.compile": """
        SharedVariable view_op deep_copy_op ViewOp DeepCopyOp Shape Shape_i shape_i SpecifyShape
        specify_shape Rebroadcast
    """,
    "theano.compile.ops": """
        Rebroadcast ViewOp view_op OutputGuard DeepCopyOp deep_copy_op Shape Shape_i shape_i
        SpecifyShape specify_shape as_op FromFunctionOp
    """,
    "theano.compile.sharedvalue": "SharedVariable",
    # 1.5, 1.6
    "theano.tensor.xlogx": "xlogx xlogy0 XlogX XlogY0",
    "theano.tensor.inplace": [
        f"{name}_inplace"
        for name in listed("""
            lt gt le ge eq neq isnan isinf switch and_ or_ xor invert second maximum minimum add
            sub mul true_div int_div mod pow sqr sqrt exp exp2 expm1 log log2 log10 log1p sin cos
            tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh deg2rad
            rad2deg neg inv abs_ sgn ceil floor trunc round_half_to_even
            round_half_away_from_zero erf erfc erfcx gamma gammaln psi tri_gamma chi2sf gammainc
            gammaincc gammal gammau j0 j1 jv i0 i1 iv real imag angle complex conj
            complex_from_polar fill conjugate transpose
        """)
    ],
    "theano.tensor.nnet": """
        sigmoid sigmoid_inplace softmax relu elu selu softplus softsign hard_sigmoid
        ultra_fast_sigmoid categorical_crossentropy binary_crossentropy
        sigmoid_binary_crossentropy
    """,
    "theano.tensor.elemwise": "Elemwise DimShuffle CAReduce CAReduceDtype Sum Prod ProdWithoutZeros"
                              " All Any MulWithoutZeros",
    # 1.7, 1.8
    "theano.tensor.extra_ops": """
        bincount cumsum cumprod diff repeat compress unravel_index ravel_multi_index Unique
        searchsorted to_one_hot bartlett fill_diagonal fill_diagonal_offset squeeze CumOp DiffOp
        BinCountOp RepeatOp Bartlett FillDiagonal FillDiagonalOffset SearchsortedOp UnravelIndex
        RavelMultiIndex
    """,
    "theano.tensor.sort": "sort argsort topk argtopk topk_and_argtopk SortOp ArgSortOp TopKOp",
    "theano.tensor.subtensor": """
        Subtensor IncSubtensor AdvancedSubtensor1 AdvancedSubtensor AdvancedIncSubtensor1
        AdvancedIncSubtensor AdvancedBooleanSubtensor AdvancedBooleanIncSubtensor set_subtensor
        inc_subtensor take advanced_subtensor1 advanced_inc_subtensor1
    """,
    # 1.9
    "theano.tensor.blas": """
        Gemm gemm_inplace gemm_no_inplace Gemv gemv_inplace gemv_no_inplace Ger ger
        ger_destructive Dot22 Dot22Scalar BatchedDot batched_dot
    """,
    "theano.tensor.nlinalg": """
        MatrixInverse matrix_inverse inv MatrixPinv pinv Det det Eig eig Eigh eigh QRFull
        QRIncomplete qr SVD svd lstsq matrix_power matrix_dot norm trace diag alloc_diag
        extract_diag AllocDiag ExtractDiag TensorInv tensorinv TensorSolve tensorsolve EighGrad
    """,
    "theano.tensor.slinalg": """
        Cholesky cholesky CholeskyGrad Solve solve solve_lower_triangular solve_upper_triangular
        solve_symmetric Eigvalsh eigvalsh EigvalshGrad kron Expm expm ExpmGrad
    """,
    "theano.sandbox.linalg.ops": "psd hints spectral_radius_bound",
    # 1.10
    "theano.tensor.fft": "rfft irfft rfft_op irfft_op RFFTOp IRFFTOp",
    "theano.tensor.fourier": "fft Fourier",
    "theano.sandbox.fourier": "fft Fourier",
    # 1.11
    "theano.tensor.shared_randomstreams": """
        RandomStreams RandomStateSharedVariable RandomStreams.uniform RandomStreams.normal
        RandomStreams.binomial RandomStreams.random_integers RandomStreams.choice
        RandomStreams.poisson RandomStreams.permutation RandomStreams.multinomial
        RandomStreams.shuffle_row_elements RandomStreams.seed RandomStreams.updates
        RandomStreams.gen RandomStreams.__getitem__ RandomStreams.__setitem__
    """,
    "theano.tensor.randomstreams": "RandomStreams",
    "theano.sandbox.rng_mrg": """
        MRG_RandomStreams mrg_uniform MRG_RandomStreams.uniform MRG_RandomStreams.binomial
        MRG_RandomStreams.multinomial MRG_RandomStreams.choice MRG_RandomStreams.normal
        MRG_RandomStreams.truncated_normal MRG_RandomStreams.multinomial_wo_replacement
        MRG_RandomStreams.updates MRG_RandomStreams.set_rstate MRG_RandomStreams.seed
        guess_n_streams
    """,
    "theano.sandbox.multinomial": "MultinomialFromUniform ChoiceFromUniform",
    # 1.14
    "theano.sparse": """
        SparseType csc_matrix csr_matrix bsr_matrix csc_fmatrix csc_dmatrix csr_fmatrix
        csr_dmatrix bsr_fmatrix bsr_dmatrix matrix SparseVariable SparseConstant
        as_sparse_variable as_sparse as_sparse_or_tensor_variable constant shared CSM CSC CSR
        csm_properties csm_data csm_indices csm_indptr csm_shape csm_grad cast bcast wcast icast
        lcast fcast dcast ccast zcast dense_from_sparse csr_from_dense csc_from_dense
        DenseFromSparse SparseFromDense get_item_2d get_item_scalar get_item_list get_item_2lists
        transpose neg col_scale row_scale sp_sum diag square_diagonal ensure_sorted_indices clean
        remove0 sp_ones_like sp_zeros_like construct_sparse_from_list add sub mul add_s_s
        add_s_s_data add_s_d structured_add_s_v mul_s_s mul_s_d mul_s_v eq neq lt gt le ge
        equal_s_s not_equal_s_s less_than_s_s greater_than_s_s less_equal_s_s greater_equal_s_s
        equal_s_d not_equal_s_d less_than_s_d greater_than_s_d less_equal_s_d greater_equal_s_d
        hstack vstack structured_sigmoid structured_exp structured_log structured_pow
        structured_minimum structured_maximum structured_add sin arcsin tan arctan sinh arcsinh
        tanh arctanh rint sgn ceil floor sqrt sqr log1p expm1 deg2rad rad2deg trunc conjugate dot
        true_dot structured_dot structured_dot_grad sampling_dot usmm verify_grad_sparse
        sparse_formats enable_sparse sharedvar opt basic
    """,
    "theano.sparse.basic": """
        Dot Usmm SparseType as_sparse hstack vstack structured_dot _is_sparse_variable
        SparseVariable SparseConstant CSM
    """,
    "theano.sparse.sandbox.sp2": "Poisson Binomial Multinomial poisson multinomial csr_fbinomial"
                                 " csr_dbinomial csc_fbinomial csc_dbinomial",
    "theano.sparse.sandbox.sp": "",
    # 1.15
    "theano.typed_list": """
        TypedListType TypedListVariable TypedListConstant getitem append extend insert remove
        reverse index_ count length make_list GetItem Append Extend Insert Remove Reverse Index
        Count Length MakeList TypedListVariable.append TypedListVariable.extend
        TypedListVariable.insert TypedListVariable.remove TypedListVariable.reverse
        TypedListVariable.count TypedListVariable.ind
    """,
    # Names of today's users and what programs of that time import from elsewhere.
    "theano.ifelse": "ifelse IfElse",
    "theano.scan_module": "until",
    "theano.printing": "Print",
    "theano.gof.graph": "is_same_graph inputs Constant Variable stack_search io_toposort ancestors",
    "theano.gof.fg": "MissingInputError",
    "theano.configparser": "change_flags",
    "theano.compile.mode": "get_default_mode",
    "theano.sandbox.softsign": "softsign",
    "theano.tensor.nnet.nnet": "softsign softmax categorical_crossentropy binary_crossentropy",
}  # fmt: skip

#: Comes with graph internals, printing and GPUs.
LATER: dict[str, str] = {
    "theano.gof": "COp ParamsType local_optimizer",
    "theano.gof.toolbox": "Feature ReplaceValidate",
    "theano.gof.opt": "PatternSub EquilibriumOptimizer",
    "theano.gof.optdb": "Query SequenceDB",
    "theano.d3viz": "d3viz",
    "theano.gpuarray": "use get_context",
    "theano.gpuarray.dnn": "dnn_conv",
}  # fmt: skip


def paths(table: dict[str, str] | dict[str, str | list[str]]) -> Iterator[tuple[str, str]]:
    """(module, name) of every entry; an empty name for a module that has only to be there."""
    for module, names in table.items():
        found = listed(names) if isinstance(names, str) else names
        yield from ((module.strip(), name) for name in found or [""])
