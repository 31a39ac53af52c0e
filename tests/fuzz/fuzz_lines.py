"""Templates of random lines; ``{a}`` and the like are names of entries, see ``graphs``."""

from __future__ import annotations


def table(text: str) -> tuple[str, ...]:
    """The templates of a text that has semicolons between them."""
    return tuple(" ".join(item.split()) for item in text.split(";") if item.strip())


SMOOTH = table("""
    T.tanh({a}); T.exp(T.tanh({a})); T.sin({a}); T.cos({a}); T.nnet.sigmoid({a});
    T.nnet.softplus({a}); T.log1p(abs({a})); T.sqrt(abs({a}) + 1); T.sqr({a}); T.erf({a});
    T.gammaln(abs({a}) + 1); {a} ** 3; T.arctan({a}); T.arcsinh({a}); T.expm1(T.tanh({a}));
    T.log2(1 + T.sqr({a})); 1 / (1 + T.sqr({a})); abs({a}); -{a}; {a} * 0.5; {a} + 1;
    T.psi(abs({a}) + 1); T.cosh(T.tanh({a})); T.arctanh({a} * 0.001);
    T.log(T.exp(T.tanh({a})) + 1); (abs({a}) + 0.1) ** 0.3; T.erfc({a}); T.j0({a});
    T.log(T.nnet.sigmoid({a})); T.log(1 - T.nnet.sigmoid({a})); {a} / {a}.size; {a} - {a};
    T.exp(-T.sqr({a})) * {a}; 1 - T.erf({a}); T.exp({a} * 0.1) - 1; T.log(1 + T.tanh({a})/2);
    T.cast({a}, 'float64'); T.cast({a}, 'float32'); T.cast({a}, 'float16');
    T.sqrt(T.sqr({a}) + 0.5); T.tan(T.tanh({a})); T.sinh(T.tanh({a})); T.arccos(T.tanh({a}) / 2);
    T.nnet.elu({a}); T.deg2rad({a}); {a} * {a} * {a}; {a} ** 2 / (1 + abs({a})); T.exp2({a} / 9);
    T.real({a}); T.nan_to_num({a}); T.nnet.softsign({a}); T.tri_gamma(abs({a}) + 1);
""")
STEPS = table("""
    T.floor({a}); T.ceil({a}); T.trunc({a}); T.sgn({a}); {a} // 1; {a} % 1.5; T.cast({a}, 'int32');
    T.cast({a}, 'int8'); {a} > 0.25; T.ge({a}, 0); T.nnet.relu({a}); T.switch({a} > 0.5, {a}, 0.5);
    T.clip({a}, -0.5, 0.75); T.round({a} * 2); T.eq({a}, 1);
    T.switch({a} < 0, {a} * 2, T.exp({a} * 0.1)); T.cast({a} * 2, 'int64'); T.isnan({a});
    T.nnet.hard_sigmoid({a}); T.maximum({a}, 0.25); T.floor_div({a}, 0.5); T.isinf({a} / 1);
    T.round({a} * 2, mode='half_away_from_zero'); T.iround({a} * 2); T.neq({a}, 0);
""")
INTEGERS = table("""
    -{a}; abs({a}); {a} + 1; {a} * 3; {a} // 3; {a} % 5; {a} ** 2; {a} & 6; {a} | 1; {a} ^ 3; ~{a};
    T.sgn({a}); T.cast({a}, 'float64'); T.cast({a}, 'int8'); T.cast({a}, 'uint8');
    T.cast({a}, 'int64'); T.eq({a}, 2); T.minimum({a}, 2); {a} / 4; T.sqrt(abs({a}));
    T.cast({a}, 'bool'); T.cast({a}, 'float16'); {a} // -2; {a} % -3; T.switch({a} > 0, {a}, 1);
    {a} * 1.5; T.sqr({a}); {a} - {a}; T.exp({a} * 0.01); {a} * {a}; T.clip({a}, -1, 3);
    T.cast({a}, 'float32'); {a} * 2 + {a} % 2;
""")
BOOLEANS = table("""
    ~{a}; T.cast({a}, 'int8'); T.cast({a}, 'float32'); {a} & np.array(True); T.all({a});
    T.any({a}); {a}.sum(); T.switch({a}, 1.5, -2.); {a} * 2; {a} + {a}; T.invert({a});
    {a} ^ np.array(True); T.any({a}, axis=0); T.mean({a}); T.eq({a}, 1); {a} * 0.5;
""")
BINARY = table("""
    {a} + {b}; {a} - {b}; {a} * {b}; {a} / (1 + abs({b})); T.tanh({a}) * {b}; T.hypot({a}, {b});
    T.logaddexp({a}, {b}); {a} * {b} + {a}; {a} + {b} * 2.5; T.arctan2({a}, 1 + abs({b}));
    (1 + abs({a})) ** T.tanh({b}); T.sqr({a} - {b}); T.log(1 + T.exp(T.tanh({a}) - {b}));
    {a} - {b} / 3; {a} * {b} / (1 + T.sqr({a})); {a} / T.sqrt(1 + T.sqr({b}));
    T.switch(1, {a}, {b}); T.true_div({a}, 2 + T.sqr({b}));
""")
ORDER = table("""
    T.maximum({a}, {b}); T.minimum({a}, {b}); T.lt({a}, {b}); T.ge({a}, {b});
    T.switch({a} > {b}, {a}, {b}); T.eq({a}, {b}); T.neq({a}, {b}); T.le({a}, {b});
    T.cast({a} > {b}, 'float32') * {a};
""")
BITS = table("""
    {a} & {b}; {a} | {b}; {a} ^ {b}; {a} + {b}; {a} * {b}; {a} - {b}; {a} // (1 + {b} ** 2);
    {a} % (1 + {b} ** 2); T.maximum({a}, {b}); T.lt({a}, {b}); T.eq({a}, {b});
    {a} / (1 + {b} ** 2); T.minimum({a}, {b}); T.divmod({a}, abs({b}) + 1);
""")
REDUCTIONS = table("""
    T.sum({a}{how}); T.mean({a}{how}); T.prod(T.tanh({a}){how}); T.logsumexp({a}{how});
    T.var({a}{how}); {a}.std({axes}) if 0 else T.sqrt(T.var({a}{how}) + 1); T.sqr({a}).sum({axes});
    T.sum({a}{how}) / 3; T.sum({a} * {a}{how}); T.sum(T.exp(T.tanh({a})){how});
    {a} - T.mean({a}{keep}); {a} / T.sqrt(1 + T.sum(T.sqr({a}){keep})); T.sum(abs({a}){how});
    T.cumsum({a}, axis={one}); T.cumprod(T.tanh({a}), axis={one}); T.diff({a}, axis={one});
    T.sum({a}{how}, dtype='float64'); T.mean(T.sqr({a}){how}, dtype='float32');
    T.log(T.sum(T.exp({a} * 0.1){how}));
""")
EXTREMES = table("""
    T.max({a}{how}); T.min({a}{how}); T.argmax({a}, axis={one}); T.argmin({a}, axis={one});
    T.max_and_argmax({a}, axis={one}); T.ptp({a}, axis={one}); T.argmax({a});
    {a} - T.max({a}{keep}); T.sort({a}, axis={one}); T.argsort({a}, axis={one});
    T.topk({a}, {k}, axis={one}); T.argtopk({a}, {k}, axis={one}); T.sort({a}, axis=None);
    T.topk({a}, -{k}, axis={one}); T.median({a}, axis={one}); T.max(abs({a}){how});
    T.max_and_argmax({a}, axis={one}, keepdims=True);
""")
SHAPES = table("""
    {a}.flatten(); {a}.T; {a}.reshape((-1,)); {a}.reshape((1, {a}.size)); {a}.ravel();
    {a}.reshape(({a}.shape[-1], -1)); T.flip({a}, axis={one}); {a}.reshape(({a}.size, 1));
    T.repeat({a}, 2, axis={one}); T.tile({a}, 2); T.roll({a}, 1, axis={one}); {a}.flatten(1);
    T.repeat({a}, {n}, axis={one}); T.tile({a}, (2, 1)); T.expand_dims({a}, {one});
    T.atleast_2d({a}); T.moveaxis({a}, {one}, 0); T.shape_padright({a}); T.squeeze({a});
    {a}.copy(); T.specify_shape({a}, {a}.shape); T.roll({a}, -2); {a}.shape; T.shape_padleft({a});
    T.broadcast_to({a}, (2, *({a}.shape[i] for i in range({a}.ndim)))); T.zeros_like({a});
    T.ones_like({a}); T.full_like({a}, 2); T.unbroadcast({a}, 0);
    T.extra_ops.repeat({a}.flatten(), 2);
    T.alloc({a}, 2, *({a}.shape[i] for i in range({a}.ndim))); T.fill({a}, 2);
    T.rot90(T.atleast_2d({a})); T.reshape({a}, {a}.shape[::-1], ndim={a}.ndim); {a}.T.flatten();
    T.swapaxes({a}, 0, {one});
""")
MATRICES = table("""
    T.diag({a}); T.diagonal({a}, offset=1); T.tril({a}); T.triu({a}, 1); T.trace({a});
    T.fill_diagonal({a}, {a}[0, 0]); {a}.dimshuffle(1, 0); T.nnet.softmax(T.tanh({a}));
    T.nnet.logsoftmax({a} * 0.1); {a} - {a}[:, :1].sum(axis=1, keepdims=True);
    T.batched_dot({a}, {a}); T.outer({a}[0], {a}[0]); T.dot({a}, {a}.T); T.dot({a}.T, {a});
    T.extra_ops.compress(T.ge(T.arange({a}.shape[0]), 1), {a}, axis=0);
""")
PRODUCTS = table("""
    T.dot(T.tanh({a}), T.tanh({b})); T.dot({a}, {b}); T.matmul({a}, {b}); T.dot({a}, {b}) * 0.5;
    T.dot({a}, {b} - 1); T.dot({a} * 2, {b}) + 1; T.tensordot({a}, {b}, axes=1);
    T.dot({b}.T, {a}.T); T.tanh(T.dot({a}, {b}));
""")
EINSUMS = table("""
    T.einsum('ij,ij->i', {a}, {b}); T.einsum('ij,ij->', {a}, {b}); T.einsum('ij,kj->ik', {a}, {b});
    T.einsum('ij,ik->jk', {a}, {b}); T.tensordot({a}, {b}, axes=2); T.batched_dot({a}, {b});
    T.einsum('ij,ij->ji', {a}, {b}); T.tensordot({a}, {b}, axes=[[0], [0]]);
    T.batched_tensordot({a}, {b}, axes=[[1], [1]]); T.inner({a}, {b});
""")
CUBES = table("""
    T.batched_dot({a}, {b}.dimshuffle(0, 2, 1)); T.matmul({a}, {b}.dimshuffle(0, 2, 1));
    T.einsum('bij,bkj->bik', {a}, {b}); T.tensordot({a}, {b}, axes=[[0, 2], [0, 2]]);
    T.einsum('bij,bij->b', {a}, {b}); T.tensordot({a}, {b}, axes=3);
    T.einsum('bij,cij->bc', {a}, {b});
""")
COUNTS = table("""
    T.bincount({a}); T.bincount({a}, minlength=9); T.to_one_hot({a}, 30); T.arange({a}.size);
    T.eye({a}.shape[0]); T.unravel_index({a}, (6, 7));
    T.ravel_multi_index(({a} // 9, {a} % 9), (9, 9)); T.cast(T.to_one_hot({a}, 30), 'float32');
    T.zeros((3, 40))[:, {a}]; T.arange(60)[{a}]; T.sqr(T.arange(30.0))[{a}];
    T.bincount({a}, weights=T.sin({a})); T.arange(0, {a}.sum() % 7, 2);
    T.inc_subtensor(T.zeros((30,))[{a}], 1.5);
    T.inc_subtensor(T.ones((30, 2))[{a}], T.sqrt({a}).dimshuffle(0, 'x'));
""")
UNIQUES = table("""
    T.unique({a}); T.unique({a}, return_index=True, return_inverse=True, return_counts=True);
    T.unique({a}, axis=0); T.nonzero({a}); T.flatnonzero({a}); T.count_nonzero({a}, axis=0);
    T.argwhere({a}); T.searchsorted(T.sort({a}.flatten()), {a}); T.cumsum({a});
    T.searchsorted(T.sort({a}.flatten()), {a}.flatten(), side='right'); T.nonzero_values({a});
    T.digitize({a}.flatten(), np.array([-1.0, 0.5, 2.0])); T.isclose({a}, 1.0);
""")
SQUARE = "(T.dot(T.tanh({a}), T.tanh({a}).T) + 2 * T.eye({a}.shape[0], dtype={a}.dtype))"
LINALG = table("""
    slinalg.cholesky({s}); nlinalg.det({s}); nlinalg.matrix_inverse({s}); nlinalg.slogdet({s});
    slinalg.solve({s}, {a}); slinalg.solve({s}, {a}[:, 0]); nlinalg.trace({s});
    T.dot(nlinalg.inv({s}), {a}); slinalg.solve_triangular(slinalg.cholesky({s}), {a}, lower=True);
    nlinalg.norm({a} + 1, 'fro'); T.log(nlinalg.det({s})); nlinalg.matrix_power({s}, 2);
    slinalg.expm({s} * 0.1); T.dot(nlinalg.matrix_inverse({s}), {a}[:, 0]); slinalg.kron({a}, {a});
    nlinalg.eigh({s})[0]; nlinalg.svd({s}, compute_uv=False);
    slinalg.cho_solve((slinalg.cholesky({s}), True), {a});
    T.sum(T.log(T.diag(slinalg.cholesky({s})))) * 2; nlinalg.det(slinalg.cholesky({s}));
    nlinalg.matrix_dot({s}, {a}); nlinalg.pinv({s}); abs(nlinalg.qr({s})[1]);
    slinalg.solve({s}.T, {a}); T.dot({a}.T, slinalg.solve({s}, {a}));
    nlinalg.matrix_inverse({s}.T).T; slinalg.solve(slinalg.cholesky({s}), {a});
""")
TRANSFORMS = table("""
    fft.rfft({a}.astype('float64') if {a}.ndim > 1 else T.shape_padleft({a}.astype('float64')));
    T.real(fft.fft({a})); T.imag(fft.fft({a})); abs(fft.fft({a})); T.real(fft.ifft(fft.fft({a})));
    T.real(fft.fftn({a})); fft.fftshift({a}); T.convolve({a}.flatten(), np.array([1.0, 2.0, 0.5]));
    T.sqr(abs(fft.fft({a}))); T.imag(fft.fft({a} * 2));
    T.interp({a}, np.array([-2.0, 0.0, 1.0, 3.0]), np.array([1.0, 3.0, 2.0, 0.0]));
    T.linspace({a}.sum(), 4, 5); T.vander({a}.flatten(), 3); T.average({a}, axis=0);
    T.logspace(0.0, 1.0, 4) * {a}.sum();
""")
DRAWS = table("""
    {r}.uniform(size={size}); {r}.normal(size={size}); {r}.normal(1.0, 2.0, size={size});
    {r}.integers(0, 9, size={size}); {r}.bernoulli(0.4, size={size}); {r}.exponential(size={size});
    {r}.uniform(size={size}, dtype='float32'); {r}.normal(size={size}, dtype='float32');
    {r}.gamma(2.0, size={size}); {r}.poisson(3.0, size={size}); {r}.permutation(6);
    {r}.gumbel(size={size}); {r}.laplace(size={size}); {r}.truncated_normal(size={size});
    {r}.choice(5, size={size}); {r}.binomial(5, 0.3, size={size}); {r}.beta(2.0, 3.0, size={size});
    {r}.halfnormal(size={size});
""")
BODIES = table("""
    T.tanh(s * 0.5 + x); s * 0.5 + x; T.tanh(s + T.sin(x)); 0.5 * s + T.tanh(x) * s / 3;
    x - s * 0.25; T.set_subtensor(s[..., :1], 0.5) + x * 0.1 if s.ndim else s * 0.5 + x;
    (s + x) / 2 + T.sum(x) * 0.1; ifelse(T.sum(x) > 0.1, T.tanh(s), T.sin(x));
    T.nnet.sigmoid(x) * s + (1 - T.nnet.sigmoid(x)) * T.tanh(x);
""")
LOOPS = table("""
    theano.scan(lambda x, s: T.cast({body}, s.dtype), sequences=[{a}],
    outputs_info=[T.zeros_like({a}[0])]{how})[0]; theano.scan(lambda x, s: T.cast({body}, s.dtype),
    sequences=[{a}], outputs_info=[T.zeros_like({a}[0])]{how})[0]; theano.scan(lambda x, s:
    T.cast({body}, s.dtype), sequences=[{a}], outputs_info=[T.zeros_like({a}[0])]{how})[0][-1];
    theano.scan(lambda x: T.sqr(x) + x.sum(), sequences=[{a}]{how})[0]; theano.scan(lambda x, r, s:
    T.cast({body} + 0.2 * r, s.dtype), sequences=[{a}],
    outputs_info=[dict(initial=T.zeros_like({a}[:2]), taps=[-2, -1])]{how})[0]; theano.scan(lambda
    x, y, s: T.cast({body} + y, s.dtype), sequences=[dict(input={a}, taps=[0, 1])],
    outputs_info=[T.zeros_like({a}[0])]{how})[0]; theano.scan(lambda x, s, t: [T.cast({body} + 0.1
    * t, s.dtype), T.cast(t * 0.5 + s, t.dtype)], sequences=[{a}],
    outputs_info=[T.zeros_like({a}[0]), T.ones_like({a}[0])]{how})[0]; theano.scan(lambda x, s:
    [T.cast({body}, s.dtype), x * 2], sequences=[{a}], outputs_info=[T.zeros_like({a}[0]),
    None]{how})[0]; theano.scan(lambda x, i, s: (T.cast({body}, s.dtype), until(i >= 1)),
    sequences=[{a}, T.arange({a}.shape[0])], outputs_info=[T.zeros_like({a}[0])]{how})[0];
    theano.scan(lambda s, x: T.cast({body}, s.dtype), outputs_info=[T.zeros_like({a}[0])],
    non_sequences=[{a}[0]], n_steps={n})[0]; theano.scan(lambda x, s: T.cast(s * 0.5 +
    theano.scan(lambda y, q: T.tanh(y) + q, sequences=[x],
    outputs_info=[T.zeros_like(x[0])])[0].sum(), s.dtype), sequences=[{a}],
    outputs_info=[T.zeros_like({a}[0, ..., 0].sum())]{how})[0];
    theano.map(lambda x: T.tanh(x) * 2, {a})[0];
    theano.reduce(lambda x, s: T.cast({body}, s.dtype), {a}, T.zeros_like({a}[0]))[0];
    theano.foldl(lambda x, s: T.cast({body}, s.dtype), {a}, T.zeros_like({a}[0]))[0];
    theano.scan(lambda i, s, w: T.inc_subtensor(s[i], T.tanh(w[i].sum()).astype(s.dtype)),
    sequences=[T.arange({a}.shape[0])], outputs_info=[T.zeros_like({a})], non_sequences=[{a}])[0];
    theano.scan(lambda i, w: w[i].sum() * 2, sequences=[T.arange({a}.shape[0])],
    non_sequences=[{a}])[0];
""")
RECURRENT = table("""
    theano.scan(lambda x, s, w: T.tanh(T.dot(s, w) + x).astype(s.dtype), sequences=[{a}],
    outputs_info=[T.zeros_like({a}[0])], non_sequences=[T.dot(T.tanh({a}).T, {a}) * 0.1])[0];
    theano.scan(lambda x, s, w: T.tanh(s * 0.5 + T.dot(x, w)).astype(s.dtype), sequences=[{a}],
    outputs_info=[T.zeros_like({a}[0])], non_sequences=[T.dot(T.tanh({a}).T, {a}) * 0.1])[0];
    theano.scan(lambda x, w: T.dot(w, x), sequences=[{a}], non_sequences=[{a}])[0];
    theano.scan(lambda s, w: T.tanh(T.dot(w, s)), outputs_info=[T.ones_like({a}[0])],
    non_sequences=[T.dot(T.tanh({a}).T, {a})], n_steps=3)[0];
""")
VECTORIZED = table("""
    theano.vectorize(lambda r: T.tanh(r) * r.sum())({a});
    theano.vectorize(lambda r: r - r.mean())({a}); theano.vectorize(lambda r: T.dot(r, r))({a});
    theano.vectorize(lambda r: r[::-1] * 2)({a});
    theano.vectorize(lambda r: T.nnet.softmax(r))({a});
    theano.vectorize(lambda r: T.cumsum(r))({a});
    theano.vectorize(lambda r: T.outer(r, r).sum(axis=0))({a});
    theano.vectorize(lambda r: r[0] + r[-1])({a});
    theano.vectorize(lambda r, q: T.dot(r, q), in_axes=(0, None))({a}, {a}[0]);
    theano.vectorize(lambda r: T.grad(T.sqr(T.tanh(r)).sum(), r))({a});
    theano.vectorize(lambda r: T.set_subtensor(r[0], 2))({a});
    theano.vectorize(lambda r: T.concatenate([r, r * 2]))({a});
    theano.vectorize(lambda r: T.switch(r > 9, r, T.exp(r * 0.1)))({a});
    theano.vectorize(lambda r: r.sum())({a});
""")
LISTS = table("""
    TL.getitem(TL.append(TL.make_list([{a}]), {b}), {i}); TL.length(TL.make_list([{a}, {b}, {a}]));
    TL.getitem(TL.reverse(TL.make_list([{a}, {b}])), {i});
    TL.getitem(TL.make_list([{a}, {b}])[{i}:], 0);
    TL.getitem(TL.insert(TL.make_list([{a}, {b}]), 1, {b}), {i}); TL.make_list([{a}, {b}])[{i}];
    TL.getitem(TL.extend(TL.make_list([{a}]), TL.make_list([{b}, {a}])), {i});
    TL.count(TL.make_list([{a}, {b}]), {a});
""")
TRANSFORMED = table("""
    (lambda m: theano.OpFromGraph([m], [T.tanh(m) * m.sum(), m * 2]))({a}.type())({a});
    (lambda m: theano.OpFromGraph([m], [T.exp(T.tanh(m))], inline=True))({a}.type())({a});
    T.Rop(T.tanh({a}) * 2, {a}, T.ones_like({a})); T.Rop(T.sqr({a}).sum(), {a}, {a});
    T.Lop(T.sin({a}) * {a}, {a}, T.cos({a})); theano.gradient.grad_clip({a}, -0.5, 0.5) * 2;
    theano.gradient.jacobian(T.tanh({a}).flatten()[:2], {a});
    theano.gradient.hessian(T.sum(T.tanh({a}) ** 3), {a}) if {a}.ndim == 1 else {a} * 3;
    theano.clone(T.tanh({a}) + {a}, replace={{{a}: {a} * 2}});
    theano.gradient.disconnected_grad({a}) * {a}; theano.gradient.zero_grad({a}) + {a};
    theano.gradient.consider_constant({a}) * {a}; T.grad(T.sum(T.grad(T.sum(T.tanh({a})), {a}) **
    2), {a});
    theano.scan(lambda x: x * {a}.sum() + {b}.sum(), sequences=[{a}.flatten()])[0];
    theano.scan(lambda x, s: T.cast(s + x + {b}.sum(), s.dtype), sequences=[{a}.flatten()],
    outputs_info=[T.zeros((), dtype={a}.dtype)])[0]; T.opt.Assert('finite')({a}, T.eq(1, 1)) + 1;
    theano.scan(lambda x: [x * 2, T.grad(T.tanh(x), x)], sequences=[{a}.flatten()])[0];
    T.grad(theano.scan(lambda x, s: T.cast(T.tanh(s + x), s.dtype), sequences=[{a}.flatten()],
    outputs_info=[T.zeros((), dtype={a}.dtype)])[0].sum(), {a}); T.outer({a}, {b});
    T.nnet.binary_crossentropy(T.nnet.sigmoid({a}), T.nnet.sigmoid({a} * 0.5)); {a} + {b}.sum() *
    {a};
""")
MATRIX_LINES = table("""
    T.nnet.categorical_crossentropy(T.nnet.softmax({a}), T.arange({a}.shape[0]) % {a}.shape[1]);
    T.nnet.categorical_crossentropy(T.nnet.softmax({a}), T.nnet.softmax({a} * 0.5));
    T.log(T.nnet.softmax({a})); T.nnet.softmax(T.dot({a}, {a}.T) + {a}[:, 0]);
    S.dense_from_sparse(S.csr_from_dense({a}) * 2); S.dot(S.csr_from_dense({a}), {a}.T);
    S.sp_sum(S.csc_from_dense({a}), axis=0);
    S.dense_from_sparse(S.structured_sigmoid(S.csr_from_dense({a})));
    S.structured_dot(S.csr_from_dense({a}), {a}.T);
    S.dense_from_sparse(S.add(S.csr_from_dense({a}), {a}));
    S.dot(S.csc_from_dense({a}), {a}[0]); T.nnet.softmax({a}.T).T; T.nnet.logsoftmax({a})[0];
    T.max(T.nnet.softmax({a}), axis=1); T.dot({a}, {a}[0]) + {a}[:, 0]; T.dot({a}.T, {a}) + 2 *
    T.eye({a}.shape[1]);
    {a} - 0.1 * T.dot({a}, T.dot({a}.T, {a})); T.dot(T.dot({a}, {a}.T), {a}); T.dot({a}[::-1],
    {a}.T[:, ::-1]);
    T.dot({a}, {a}.T[:, :1]); T.dot({a}[:1], {a}.T) * 2; T.set_subtensor({a}[:, 0], T.dot({a},
    {a}[0]));
    T.concatenate([{a}, T.dot({a}, T.eye({a}.shape[1]))], axis=1); T.stack([T.dot({a}, {a}.T)] *
    2).sum(axis=0);
""")
