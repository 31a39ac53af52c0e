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

#: Attributes and methods of every symbolic tensor.
ATTRIBUTES = listed("""
    type name owner index tag auto_name ndim dtype broadcastable shape size T real imag
""")
METHODS = listed("""
    arccos arccosh arcsin arcsinh arctan arctanh ceil cos cosh deg2rad rad2deg exp exp2 expm1
    floor log log10 log1p log2 sin sinh sqrt tan tanh trunc round clip conj conjugate sum prod
    mean var std min max argmin argmax any all ptp norm trace reshape dimshuffle flatten ravel
    transpose swapaxes squeeze repeat diagonal astype copy fill take choose compress sort argsort
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
    # 1.0, 1.12, 1.13 and 1.16 to 1.21: what is compiled, loops, graphs, printing, nnet
    "theano ": """
        function_dump Param FunctionMaker SymbolicInput SymbolicOutput ProfileStats
        predefined_modes predefined_linkers predefined_optimizers scan_checkpoints
        subgraph_grad OpenMPOp FunctionGraph Container InconsistencyError CLinker
        OpWiseCLinker DualLinker Linker LocalLinker PerformLinker opt toolbox utils object2
        change_flags pp pprint __version__ __api_version__ test disable_log_handler compat
        d3viz gof compile updates misc sandbox configparser configdefaults raise_op
    """,
    "theano.compile ": """
        DebugMode MonitorMode NanGuardMode pfunc rebuild_collect_shared UnusedInputError
        AliasedMemoryError optdb Function FunctionMaker In Out Mode register_mode
        register_linker register_optimizer get_mode get_default_mode FAST_RUN FAST_COMPILE
        register_deep_copy_op_c_code register_view_op_c_code register_shape_c_code
        register_shape_i_c_code register_rebroadcast_c_code register_specify_shape_c_code
        OpFromGraph ops function builders io mode debugmode monitormode nanguardmode
        function_module iter_over_pairs orig_function Supervisor register_checker
        convert_function_input as_op
    """,
    "theano.configparser ": """
        AddConfigVar _config_var_list fetch_val_for_key get_config_hash BoolParam EnumStr
        IntParam FloatParam StrParam TheanoConfigWarning THEANO_FLAGS_DICT
    """,
    "theano.printing ": """
        pp pprint PPrinter OperatorPrinter PatternPrinter FunctionPrinter IgnorePrinter
        LeafPrinter DefaultPrinter debugprint pydotprint min_informative_str var_descriptor
        position_independent_str hex_digest MemberPrinter PrinterState
    """,
    "theano.d3viz": "d3viz d3write replace_patterns safe_json formatting",
    "theano.d3viz.formatting": "PyDotFormatter",
    "theano.gradient ": "subgraph_grad format_as _populate_grad_dict _is_zero",
    "theano.gof ": """
        PureType PureOp Container COp OpenMPOp CLinkerOp object2 MetaObject FunctionGraph
        Feature ReplaceValidate DestroyHandler Optimizer local_optimizer PatternSub
        ParamsType Params ops_with_inner_function SingletonType CLinkerType CLinkerObject
        Query EquilibriumDB utils hash_from_ndarray
    """,
    "theano.gof.params_type": "ParamsType Params",
    "theano.gof.type ": "SingletonType PureType Type CLinkerType",
    "theano.gof.utils": """
        object2 MetaObject scratchpad deprecated hash_from_file add_tag_trace memoize
        flatten uniq give_variables_names MethodNotDefined difference to_return_values
        from_return_values
    """,
    "theano.gof.toolbox": """
        Feature Bookkeeper GetCheckpoint History Validator ReplaceValidate NodeFinder
        PrintListener PreserveNames PreserveVariableAttributes NoOutputFromInplace
        LambdExtract AlreadyThere ReplacementDidntRemovedError BadOptimization is_same_graph
    """,
    "theano.gof.destroyhandler": "DestroyHandler",
    "theano.tensor.opt ": """
        ShapeFeature register_canonicalize register_stabilize register_specialize
        register_uncanonicalize register_specialize_device register_useless Shape_i
        local_optimizer copy_stack_trace in2out out2in
    """,
    "theano.gof.opt": """
        Optimizer SeqOptimizer MergeOptimizer NavigatorOptimizer TopoOptimizer
        OpKeyOptimizer EquilibriumOptimizer LocalOptimizer LocalOptGroup LocalMetaOptimizer
        local_optimizer optimizer inplace_optimizer PatternSub OpSub OpRemove in2out out2in
        copy_stack_trace inherit_stack_trace check_stack_trace pre_greedy_local_optimizer
        CheckStackTraceOptimization FromFunctionOptimizer FromFunctionLocalOptimizer
        ChangeTracker is_same_graph_with_merge merge_optimizer
    """,
    "theano.gof.optdb": "DB EquilibriumDB SequenceDB LocalGroupDB TopoDB ProxyDB Query",
    "theano.gof.graph ": """
        variables ops orphans variables_and_orphans clone clone_get_equiv general_toposort
        list_of_nodes view_roots nodes_constructed is_in_ancestors as_string Apply
    """,
    "theano.gof.link": """
        Linker LocalLinker PerformLinker WrapLinker WrapLinkerMany raise_with_op Container
    """,
    "theano.gof.vm": "VM_Linker Stack Loop LoopGC CVM VM",
    "theano.gof.cc": "CLinker OpWiseCLinker DualLinker",
    "theano.gof.fg ": "FunctionGraph CachedConstantError InconsistencyError",
    "theano.gof.op": """
        Op PureOp COp OpenMPOp CLinkerOp CLinkerObject get_test_value missing_test_message
        get_debug_values ops_with_inner_function ProtocolError
    """,
    "theano.gof.callcache": "CallCache",
    "theano.gof.compilelock": "lock_ctx get_lock force_unlock release_lock",
    "theano.gof.cmodule": "get_module_cache gcc_version",
    "theano.compile.mode ": """
        Mode register_mode register_linker register_optimizer get_mode predefined_modes
        predefined_linkers predefined_optimizers optdb FAST_RUN FAST_COMPILE
    """,
    "theano.compile.debugmode": """
        DebugMode DebugModeError BadThunkOutput BadOptimization BadDestroyMap BadViewMap
        StochasticOrder InvalidValueError
    """,
    "theano.compile.nanguardmode": "NanGuardMode contains_nan contains_inf _is_numeric_value",
    "theano.compile.monitormode": "MonitorMode detect_nan",
    "theano.compile.profiling": "ProfileStats ScanProfileStats print_global_stats",
    "theano.compile.pfunc": "pfunc Param rebuild_collect_shared iter_over_pairs",
    "theano.compile.io": "In Out SymbolicInput SymbolicOutput",
    "theano.compile.ops ": "register_view_op_c_code register_shape_c_code",
    "theano.compile.function_module": "Supervisor Function FunctionMaker orig_function",
    "theano.compile.builders": "OpFromGraph ops_with_inner_function",
    "theano.compile.sharedvalue ": "shared shared_constructor",
    "theano.raise_op": "Raise",
    "theano.tests.breakpoint": "PdbBreakpoint",
    "theano.misc.pkl_utils": "dump load StripPickler CompatUnpickler",
    "theano.misc.safe_asarray": "_asarray",
    "theano.scan_module ": """
        scan map reduce foldl foldr scan_checkpoints scan_op scan_utils scan_views clone
    """,
    "theano.scan_module.scan_op": "Scan",
    "theano.scan_module.scan_utils": """
        clone equal_computations until map_variables infer_shape traverse expand_empty
        get_updates_and_outputs
    """,
    "theano.scan_module.scan": "scan",
    "theano.scan_module.scan_views": "map reduce foldl foldr",
    "theano.tensor.signal.pool": """
        pool_2d pool_3d max_pool_2d_same_size Pool MaxPoolGrad AveragePoolGrad
        DownsampleFactorMaxGradGrad MaxPoolRop PoolGrad
    """,
    "theano.tensor.signal.conv": "conv2d",
    "theano.tensor.signal.downsample": "max_pool_2d",
    "theano.tensor.nnet ": """
        conv2d conv2d_transpose conv2d_grad_wrt_inputs conv2d_grad_wrt_weights conv3d
        conv3d_grad_wrt_inputs conv3d_grad_wrt_weights separable_conv2d separable_conv3d
        causal_conv1d abstract_conv logsoftmax Softmax SoftmaxGrad softmax_op softmax_graph
        softmax_with_bias softmax_grad h_softmax crossentropy_softmax_1hot
        crossentropy_softmax_1hot_with_bias crossentropy_softmax_max_and_argmax_1hot
        crossentropy_softmax_max_and_argmax_1hot_with_bias
        crossentropy_softmax_argmax_1hot_with_bias crossentropy_categorical_1hot
        CrossentropySoftmaxArgmax1HotWithBias CrossentropySoftmax1HotWithBiasDx
        CrossentropyCategorical1Hot CrossentropyCategorical1HotGrad
        prepend_scalar_to_each_row prepend_0_to_each_row prepend_1_to_each_row
        Prepend_scalar_constant_to_each_row Prepend_scalar_to_each_row confusion_matrix bn
        ctc neighbours blocksparse conv corr corr3d conv3d2d sigm nnet SoftmaxWithBias
        LogSoftmax crossentropy_softmax_1hot_with_bias_dx batch_normalization
    """,
    "theano.tensor.nnet.abstract_conv": """
        conv2d conv2d_transpose conv2d_grad_wrt_inputs conv2d_grad_wrt_weights conv3d
        conv3d_grad_wrt_inputs conv3d_grad_wrt_weights separable_conv2d separable_conv3d
        causal_conv1d bilinear_upsampling frac_bilinear_upsampling bilinear_kernel_1D
        bilinear_kernel_2D get_conv_output_shape get_conv_shape_1axis
        get_conv_gradinputs_shape get_conv_gradinputs_shape_1axis get_conv_gradweights_shape
        get_conv_gradweights_shape_1axis check_conv_gradinputs_shape border_mode_to_pad
        assert_conv_shape assert_shape AbstractConv AbstractConv2d AbstractConv3d
        AbstractConv2d_gradWeights AbstractConv2d_gradInputs AbstractConv3d_gradWeights
        AbstractConv3d_gradInputs BaseAbstractConv
    """,
    "theano.tensor.nnet.corr": "CorrMM CorrMM_gradWeights CorrMM_gradInputs",
    "theano.tensor.nnet.corr3d": "Corr3dMM Corr3dMM_gradWeights Corr3dMM_gradInputs",
    "theano.tensor.nnet.conv": "conv2d ConvOp ConvOp.getOutputShape",
    "theano.tensor.nnet.conv3d2d": "conv3d diagonal_subtensor",
    "theano.tensor.nnet.bn": """
        batch_normalization batch_normalization_train batch_normalization_test
        AbstractBatchNormTrain AbstractBatchNormInference AbstractBatchNormTrainGrad
    """,
    "theano.tensor.nnet.ctc": "ctc ConnectionistTemporalClassification",
    "theano.tensor.nnet.neighbours": "images2neibs neibs2images Images2Neibs",
    "theano.tensor.nnet.blocksparse": "sparse_block_dot SparseBlockGemv SparseBlockOuter",
    "theano.tensor.nnet.sigm": "sigmoid softplus hard_sigmoid ultra_fast_sigmoid scalar_sigmoid",
    "theano.tensor.nnet.nnet ": "relu",
    "theano.updates": "OrderedUpdates",
    "theano.compat": "OrderedDict six izip imap ifilter PY3 cmp defaultdict",
    "theano.tensor.basic ": "get_vector_length",
    "theano.sparse.sharedvar": "SparseTensorSharedVariable sparse_constructor",
    "theano.tensor.sharedvar ": "tensor_constructor scalar_constructor",
    "theano.version": "version full_version",
    "theano.misc.check_blas": "",
    "theano.misc.doubleop": "",
}  # fmt: skip

#: Comes with GPUs.
LATER: dict[str, str] = {
    "theano.gpuarray": "use get_context",
    "theano.gpuarray.dnn": "dnn_conv",
}  # fmt: skip


def paths(table: dict[str, str] | dict[str, str | list[str]]) -> Iterator[tuple[str, str]]:
    """(module, name) of every entry; an empty name for a module that has only to be there."""
    for module, names in table.items():
        found = listed(names) if isinstance(names, str) else names
        yield from ((module.strip(), name) for name in found or [""])
