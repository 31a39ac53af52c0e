"""One call of every public function that builds something of its own: what docs/ops.md is made of.

Families map to lines, each an expression over the names that ``names(dtype)`` gives. A line may be
followed by ``#`` and a remark. Elementwise ops are not here: their rows say all that is needed.
"""

from __future__ import annotations

from typing import Any, Final

FAMILIES: Final[dict[str, str]] = {
    "Composed of elementwise ops": """
        T.cast(A, "float32")
        T.isclose(A, B)
        T.allclose(A, B)
        T.isfinite(A)
        T.nan_to_num(A)
        T.divmod(A, B)
        T.mod_check(A, B)
        T.ceil_intdiv(I, k)
        T.round(A)
        T.iround(A)
        T.smallest(A, B, A)
        T.largest(A, B, A)
        T.logaddexp(A, B)
        T.hypot(A, B)
        T.array_equal(A, B)
    """,
    "Creation": """
        T.zeros((k, 3))
        T.ones((k, 3))
        T.full((k, 3), s)
        T.alloc(s, k, 3)
        T.AllocEmpty(dtype)(k, 3)
        T.zeros_like(A)
        T.ones_like(A)
        T.full_like(A, s)
        T.fill(A, s)
        T.eye(k, 3)
        T.identity_like(A)
        T.tri(k)
        T.tril(A)
        T.triu(A)
        T.arange(k)
        T.arange(s, t)
        T.linspace(s, t, 5)
        T.logspace(s, t, 5)
        T.geomspace(s, t, 5)
        T.bartlett(k)
        T.mgrid[0:k, 0:3]
        T.ogrid[0:k, 0:3]
        T.meshgrid(v, w)
        T.vander(v, 3)
        T.opt.MakeVector(dtype)(s, t)
        T.tensor_copy(A)
        T.io.load("x.npy", dtype, (False,), None)
        theano.compile.deep_copy_op(A)
        theano.compile.view_op(A)
    """,
    "Shapes": """
        A.shape
        T.shape_i(A, 0)
        A.size
        A.dimshuffle(1, "x", 0)
        T.reshape(A, (k, -1))
        T.flatten(A)
        T.shape_padleft(A)
        T.shape_padright(A)
        T.shape_padaxis(A, 1)
        T.transpose(A)
        T.swapaxes(A, 0, 1)
        T.moveaxis(C, 0, 2)
        T.rollaxis(C, 2)
        T.squeeze(T.shape_padleft(A))
        T.expand_dims(A, 1)
        T.atleast_1d(s)
        T.atleast_2d(v)
        T.atleast_3d(A)
        T.broadcast_to(v, (k, 3))
        T.broadcast_arrays(v, s)
        T.addbroadcast(A, 0)
        T.unbroadcast(T.shape_padleft(v), 0)
        T.patternbroadcast(A, (True, False))
        T.specify_shape(A, (k, 3))
        T.roll(A, 1, axis=0)
        T.flip(A, 0)
        T.flipud(A)
        T.fliplr(A)
        T.rot90(A)
        T.tile(A, (2, 3))
        T.repeat(A, 2, axis=0)
        T.repeat(v, i)
        T.opt.Assert("small")(A, s > 0)
    """,
    "Joining and splitting": """
        T.join(0, A, B)
        T.join(k, A, B)
        T.concatenate([A, B], axis=1)
        T.stack([A, B])
        T.stacklists([[s, t], [t, s]])
        T.horizontal_stack(A, B)
        T.vertical_stack(A, B)
        T.split(A, [1, 2], 2, axis=0)
        T.split(A, [1, 2], 2, axis=k)
    """,
    "Reductions": """
        T.sum(A, axis=0)
        T.prod(A, axis=0)
        T.ProdWithoutZeros()(A)
        T.mean(A)
        T.var(A)
        T.std(A)
        T.max(A, axis=1)
        T.min(A, axis=1)
        T.argmax(A, axis=1)
        T.argmin(A, axis=1)
        T.max_and_argmax(A, axis=1)
        T.ptp(A)
        T.any(A)
        T.all(A)
        A.norm(2)
        T.cov(A)
        T.average(A)
        T.median(A)
        T.quantile(A, 0.3)
        T.percentile(A, 30)
        T.logsumexp(A)
        T.count_nonzero(A)
        T.trace(A)
    """,
    "Cumulative, counting, sorting": """
        T.cumsum(A, axis=0)
        T.cumprod(A, axis=0)
        T.diff(A)
        T.sort(A)
        T.argsort(A)
        T.topk(v, 3)
        T.argtopk(v, 3)
        T.topk_and_argtopk(v, 3)
        T.searchsorted(v, w)
        T.searchsorted(v, w, sorter=i)
        T.digitize(v, w)
        T.unique(v)
        T.unique(A, axis=0)
        T.bincount(i)
        T.histogram(v, w)
        T.interp(v, w, w)
        T.convolve(v, w)
    """,
    "Indexing": """
        A[1:k:2, None]
        A[i]
        A[i, i]
        A[:, i, None]
        A[A > 0]
        A[b]
        T.take(A, i, axis=1)
        T.take(A, i, mode="wrap")
        T.choose(i, [v, w])
        T.compress(b, A, axis=0)
        T.nonzero(A)
        T.nonzero_values(A)
        T.flatnonzero(A)
        T.argwhere(A)
        T.set_subtensor(A[1:], B)
        T.inc_subtensor(A[1:], B)
        T.set_subtensor(A[i], B)
        T.inc_subtensor(A[i], B)
        T.set_subtensor(A[i, i], v)
        T.inc_subtensor(A[b], 1)
        T.take_along_axis(A, I, 0)
        T.put_along_axis(A, I, B, 0)
        T.diag(v)
        T.diag(A)
        T.diagonal(C, 1)
        T.nlinalg.AllocDiag()(A)
        T.fill_diagonal(A, s)
        T.fill_diagonal_offset(A, s, k)
        T.unravel_index(i, (3, 4))
        T.ravel_multi_index((i, i), (3, 4))
        T.to_one_hot(i, 5)
        T.permute_row_elements(A, i)
        T.inverse_permutation(i)
    """,
    "Products": """
        T.dot(A, B)
        T.dot(A, v)
        T.dot(v, w)
        T.outer(v, w)
        A @ B
        C @ C
        T.tensordot(C, C, axes=[[0], [0]])
        T.batched_dot(C, C)
        T.batched_tensordot(C, C, axes=[1, 1])
        T.einsum("ij,kj->ik", A, B)
        T.inner(A, B)
        T.vdot(v, w)
        T.matvec(A, v)
        T.vecmat(v, A)
        T.blas.gemm_no_inplace(A, s, B, B, t)
        T.blas.gemv_no_inplace(v, s, A, w, t)
        T.blas.ger(A, s, v, w)
    """,
    "Linear algebra": """
        T.linalg.cholesky(A)
        T.linalg.cho_solve((A, True), v)
        T.linalg.solve(A, v)
        T.linalg.solve_triangular(A, v)
        T.slinalg.solve_symmetric(A, v)
        T.linalg.inv(A)
        T.linalg.pinv(A)
        T.linalg.det(A)
        T.linalg.slogdet(A)
        T.linalg.logdet(A)
        T.linalg.lu(A)
        T.linalg.lu_factor(A)
        T.linalg.lu_solve((A, p), v)
        T.linalg.qr(A)
        T.linalg.qr(A, "raw")
        T.linalg.svd(A, full_matrices=False)
        T.linalg.svdvals(A)
        T.linalg.eigh(A)
        T.linalg.eigvalsh(A)
        T.linalg.eigvalsh(A, B)
        T.linalg.eig(A)
        T.linalg.eigvals(A)
        T.linalg.lstsq(A, v)
        T.linalg.expm(A)
        T.linalg.kron(A, B)
        T.linalg.block_diag(A, B)
        T.linalg.matrix_power(A, 3)
        T.linalg.matrix_dot(A, B, A)
        T.linalg.matrix_rank(A)
        T.linalg.norm(A)
        T.linalg.cond(A)
        T.linalg.cross(A, B)
        T.linalg.tensorinv(C, 1)
        T.linalg.tensorsolve(A, v)
        T.linalg.solve_sylvester(A, B, A)
        T.linalg.solve_continuous_lyapunov(A, B)
        T.linalg.solve_discrete_lyapunov(A, B)
    """,
    "Fourier transforms": """
        T.fft.rfft(A)
        T.fft.irfft(C)
        T.fft.fft(v)
        T.fft.ifft(v)
        T.fft.rfft_complex(v)
        T.fft.irfft_complex(v)
        T.fft.fft2(A)
        T.fft.fftn(C)
        T.fft.hfft(v)
        T.fft.ihfft(v)
        T.fft.fftshift(v)
        T.fft.fftfreq(k)
    """,
    "Neural networks": """
        T.nnet.softmax(A)
        T.nnet.logsoftmax(A)
        T.nnet.softmax_with_bias(A, v)
        T.nnet.relu(A)
        T.nnet.elu(A)
        T.nnet.selu(A)
        T.nnet.softsign(A)
        T.nnet.hard_sigmoid(A)
        T.nnet.binary_crossentropy(A, B)
        T.nnet.sigmoid_binary_crossentropy(A, B)
        T.nnet.categorical_crossentropy(A, B)
        T.nnet.categorical_crossentropy(A, i)
        T.nnet.crossentropy_softmax_1hot_with_bias(A, v, i)
        T.nnet.crossentropy_softmax_argmax_1hot_with_bias(A, v, i)
        T.nnet.softplus(A)
        T.nnet.ultra_fast_sigmoid(A)
        T.nnet.h_softmax(A, k, 9, 3, 3, B, v, C, A, i)
        T.nnet.confusion_matrix(i, p)[0]
        T.nnet.prepend_1_to_each_row(A)
        T.nnet.bn.batch_normalization_train(D, D4, D4, "spatial")[0]
        T.nnet.bn.batch_normalization_test(D, D4, D4, D4, D4, "spatial")
        T.nnet.bn.batch_normalization(A, v, w, v, w)
        T.nnet.ctc.ctc(C, T.cast(I, "int32"), p)
        T.nnet.blocksparse.sparse_block_dot(D, C, I, A, I)
    """,
    "Convolution and pooling": """
        T.nnet.conv2d(D, E)
        T.nnet.conv2d(D, E, border_mode="half", subsample=(2, 2))
        T.nnet.conv2d(D, E, border_mode="full", filter_flip=False, filter_dilation=(2, 1))
        T.nnet.conv2d(D, E, num_groups=2)
        T.nnet.conv2d_transpose(D, E, (k, 3, 8, 8), (4, 3, 3, 3))
        T.nnet.abstract_conv.conv2d_grad_wrt_inputs(D, E, (k, 3, 8, 8))
        T.nnet.abstract_conv.conv2d_grad_wrt_weights(D, E, (4, 3, 3, 3))
        T.nnet.conv3d(F, G)
        T.nnet.separable_conv2d(D, E, D, 2)
        T.nnet.causal_conv1d(C, C, (2, 3, 3))
        T.nnet.abstract_conv.bilinear_upsampling(D, 2)
        T.nnet.conv.conv2d(D, E)
        T.nnet.conv3d2d.conv3d(F, G)
        T.signal.conv.conv2d(A, B)
        T.signal.pool.pool_2d(D, (2, 2), ignore_border=True)
        T.signal.pool.pool_2d(D, (2, 2), ignore_border=False, mode="average_exc_pad")
        T.signal.pool.pool_2d(D, (3, 3), ignore_border=True, stride=(2, 2), pad=(1, 1), mode="sum")
        T.signal.pool.pool_3d(F, (2, 2, 2), ignore_border=True)
        T.signal.pool.max_pool_2d_same_size(D, (2, 2))
        T.nnet.neighbours.images2neibs(D, (2, 2))
        T.nnet.neighbours.neibs2images(A, (2, 2), (k, 3, 8, 8))
    """,
    "Random numbers": """
        RandomStream(1).uniform(size=(k, 3))
        RandomStream(1).normal(s, t, size=(k,))
        RandomStream(1).integers(0, 9, size=(k,))
        RandomStream(1).exponential(s, size=(k,))
        RandomStream(1).gamma(s, size=(k,))
        RandomStream(1).poisson(s, size=(k,))
        RandomStream(1).binomial(9, 0.5, size=(k,))
        RandomStream(1).permutation(k)
        MRG_RandomStreams(1).uniform((k, 3))
        MRG_RandomStreams(1).normal((k, 3))
        MRG_RandomStreams(1).truncated_normal((k, 3))
        MRG_RandomStreams(1).binomial((k, 3))
        MRG_RandomStreams(1).multinomial(pvals=A)
        MRG_RandomStreams(1).choice(p=A, replace=False)
        RandomStreams(1).uniform((3,))
        RandomStreams(1).normal((3,))
        RandomStreams(1).binomial((3,))
        RandomStreams(1).permutation((3,))
    """,
    "Sparse matrices": """
        sparse.dot(S, A)
        sparse.dot(A, S)
        sparse.dot(S, S)
        sparse.true_dot(S, A)
        sparse.structured_dot(S, A)
        sparse.sampling_dot(A, B, S)
        sparse.usmm(s, S, A, B)
        sparse.add(S, S)
        sparse.add(S, A)
        sparse.structured_add_s_v(S, v)
        sparse.mul(S, S)
        sparse.mul(S, A)
        sparse.mul_s_v(S, v)
        sparse.neg(S)
        sparse.lt(S, S)
        sparse.lt(S, A)
        sparse.col_scale(S, v)
        sparse.row_scale(S, v)
        sparse.sp_sum(S, axis=0)
        sparse.diag(S)
        sparse.square_diagonal(v)
        sparse.dense_from_sparse(S)
        sparse.csr_from_dense(A)
        sparse.cast(S, "float32")
        sparse.transpose(S)
        sparse.ensure_sorted_indices(S)
        sparse.remove0(S)
        sparse.clean(S)
        sparse.hstack([S, S])
        sparse.vstack([S, S])
        sparse.CSR(v, p, p, i)
        sparse.csm_properties(S)
        sparse.sp_ones_like(S)
        sparse.construct_sparse_from_list(A, B, i)
        S[1:3, 0:2]
        S[0, 1]
        S[i]
        S[i, i]
        sparse.structured_exp(S)
        sparse.structured_pow(S, s)
        sparse.sqrt(S)
        sp2.poisson(S)
        sp2.csr_dbinomial(k, s, i)
        sp2.multinomial(i, S)
    """,
    "Lists, slices, control, effects": """
        typed_list.make_list([v, w])
        L[k]
        typed_list.append(L, v)
        typed_list.extend(L, L)
        typed_list.insert(L, k, v)
        typed_list.remove(L, v)
        typed_list.reverse(L)
        typed_list.count(L, v)
        typed_list.index_(L, v)
        typed_list.length(L)
        T.type_other.make_slice(k, 3)
        T.default(x, v)
        theano.ifelse.ifelse(s > 0, v, w)
        theano.OpFromGraph([v], [v * 2])(v)
        theano.scan(lambda x, y: x * y, sequences=[v], outputs_info=[s])[0]
        theano.gradient.jacobian(v**2, v)
        theano.printing.Print("v")(v)
        theano.gradient.grad_clip(v, -1, 1)
        theano.gradient.disconnected_grad(v)
    """,
}


def names(dtype: str) -> dict[str, Any]:
    """What expressions mention: variables of ``dtype`` of each rank, integers, masks, modules."""
    import theano
    import theano.gradient
    import theano.ifelse
    import theano.printing
    import theano.tensor as T
    from theano import sparse, typed_list
    from theano.sparse.sandbox import sp2
    from theano.tensor.random import MRG_RandomStreams, RandomStream
    from theano.tensor.shared_randomstreams import RandomStreams

    def of(rank: int, name: str, dtype: str = dtype) -> Any:
        return T.TensorType(dtype, shape=(None,) * rank)(name)

    found: dict[str, Any] = {
        "theano": theano, "T": T, "sparse": sparse, "sp2": sp2, "typed_list": typed_list,
        "RandomStream": RandomStream, "RandomStreams": RandomStreams, "dtype": dtype,
        "MRG_RandomStreams": MRG_RandomStreams,
        "S": sparse.csr_matrix("S", dtype=dtype), "x": theano.generic("x"),
        "L": typed_list.TypedListType(T.TensorType(dtype, shape=(None,)))("L"),
    }  # fmt: skip
    ranks = {"s": 0, "t": 0, "v": 1, "w": 1, "A": 2, "B": 2, "C": 3}
    found |= {name: of(rank, name) for name, rank in ranks.items()}
    found |= {"D": of(4, "D"), "E": of(4, "E"), "F": of(5, "F"), "G": of(5, "G")}
    found["D4"] = T.TensorType(dtype, (True, False, True, True))("D4")
    found |= {"k": of(0, "k", "int64"), "i": of(1, "i", "int64"), "p": of(1, "p", "int32")}
    return found | {"I": of(2, "I", "int64"), "b": of(1, "b", "bool")}
