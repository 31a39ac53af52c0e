"""Kernels of every form that the lowering makes, as text."""

from __future__ import annotations

KERNELS = [
    """kernel rank0 ( | ) {
      in x : float64 []
      scalar s : float64
      out z : float64 []
      each {
        a = load x : float64
        b = mul a s : float64
        store z b
      }
    }""",
    """kernel rank1 (i | ) {
      in x : float32 [i]
      scalar s : float32
      out z : float32 [i]
      each {
        a = load x : float32
        c = exp s : float32
        b = mul a c : float32
        store z b
      }
    }""",
    """kernel rank2 (i j | ) {
      in x : float32 [i j]
      in b : float32 [j]
      in c : float32 [i]
      scalar n : int32
      out z : float32 [i j]
      out y : float64 [i j]
      each {
        v1 = load x : float32
        v2 = load b : float32
        v3 = load c : float32
        v4 = exp v3 : float32
        v5 = mul v1 v2 : float32
        v6 = add v5 v4 : float32
        m = cast n : float32
        v7 = sub v6 m : float32
        v8 = cast v7 : float64
        store z v7
        store y v8
      }
    }""",
    """kernel rank4 (i j k l | ) {
      in x : float64 [i j k l]
      in b : float64 [j l]
      out z : float64 [i j k l]
      each {
        v1 = load x : float64
        v2 = load b : float64
        v3 = max v1 v2 : float64
        store z v3
      }
    }""",
    """kernel places (i j | ) {
      in x : float32 [j]
      out z : int64 [i j]
      out y : float32 [i j]
      each {
        p = index i
        q = index j
        c = const 100 : int64
        r = mul p c : int64
        s = add r q : int64
        store z s
        a = load x : float32
        t = cast s : float32
        b = mul a t : float32
        store y b
      }
    }""",
    """kernel rowtake (i j | ) {
      in x : float32 [j] gather 1
      in n : int64 [i]
      out z : float32 [i j]
      each {
        a = load n : int64
        b = load x [a] : float32
        store z b
      }
    }""",
    """kernel twotakes (i j | ) {
      in x : float32 [j] gather 1
      in n : int64 [i]
      in m : int32 [i]
      out z : float32 [i j]
      each {
        a = load n : int64
        c = load m : int32
        d = cast c : int64
        b = load x [a] : float32
        e = load x [d] : float32
        f = sub b e : float32
        store z f
      }
    }""",
    """kernel lanetake (i | ) {
      in x : float32 [] gather 1
      in n : int64 [i]
      out z : float32 [i]
      each {
        a = load n : int64
        b = load x [a] : float32
        store z b
      }
    }""",
    """kernel lanetake2 (i | ) {
      in x : float64 [] gather 2
      in n : int64 [i]
      in m : int32 [i]
      out z : float64 [i]
      each {
        a = load n : int64
        b = load m : int32
        c = cast b : int64
        d = load x [a c] : float64
        store z d
      }
    }""",
    """kernel lanemove (i j | ) {
      in x : float32 [j] gather 1
      in n : int64 [i j]
      out z : float32 [i j]
      each {
        a = load n : int64
        b = load x [a] : float32
        store z b
      }
    }""",
    """kernel addrows (i j | ) serial i {
      in y : float32 [i j]
      in n : int64 [i]
      scatter z : float32 [j] gather 1
      each {
        a = load n : int64
        b = load y : float32
        add z [a] b
      }
    }""",
    """kernel addpoints (i | ) serial i {
      in y : float64 [i]
      in n : int64 [i]
      scatter z : float64 [] gather 1
      each {
        a = load n : int64
        b = load y : float64
        add z [a] b
      }
    }""",
    """kernel setpoints (i | ) serial i {
      in y : int32 [i]
      in n : int64 [i]
      in m : int64 [i]
      scatter z : int32 [] gather 2
      each {
        a = load n : int64
        c = load m : int64
        b = load y : int32
        store z [a c] b
      }
    }""",
    """kernel divide (i | ) {
      in x : int32 [i]
      in y : int32 [i]
      out q : int32 [i]
      out r : int32 [i]
      each {
        a = load x : int32
        b = load y : int32
        c = idiv a b : int32
        d = mod a b : int32
        store q c
        store r d
      }
    }""",
    """kernel failing (i j | ) {
      in x : float32 [i j]
      in c : float32 [i]
      out z : float32 [i j]
      each {
        a = load x : float32
        b = load c : float32
        zero = const 0.0 : float32
        d = lt b zero : bool
        fail d
        ten = const 10.0 : float32
        e = gt a ten : bool
        fail e
        store z a
      }
    }""",
    """kernel softmax (i | j) {
      in x : float32 [i j]
      out z : float32 [i j]
      out n : int64 [i]
      loop {
        a = load x : float32
        top = accumulate max a : float32
        where = accumulate argmax a : int64
      }
      each {
        store n where
      }
      loop {
        b = load x : float32
        c = sub b top : float32
        d = exp c : float32
        store z d
        e = cast d : float64
        sum = accumulate add e : float64
      }
      each {
        f = cast sum : float32
      }
      loop {
        g = load z : float32
        h = div g f : float32
        store z h
      }
    }""",
    """kernel picked (i | j) {
      in x : float32 [i j]
      in w : float32 [] gather 1
      in n : int64 [i]
      out z : float64 [i]
      loop {
        a = load x : float32
        l = load n : int64
        c = load w [l] : float32
        q = index j
        hit = eq q l : bool
        b = mul a c : float32
        zero = const 0.0 : float32
        p = select hit b zero : float32
        d = cast p : float64
        sum = accumulate add d : float64
      }
      each {
        store z sum
      }
    }""",
    """kernel rowpick (i | j) {
      in x : float32 [j] gather 1
      in n : int64 [i]
      out z : float64 [i]
      loop {
        l = load n : int64
        c = load x [l] : float32
        d = cast c : float64
        sum = accumulate add d : float64
      }
      each {
        store z sum
      }
    }""",
    """kernel wholechain ( | j) {
      in x : float64 [j]
      out z : float64 [j]
      loop {
        a = load x : float64
        top = accumulate max a : float64
      }
      loop {
        b = load x : float64
        c = sub b top : float64
        store z c
      }
    }""",
    """kernel several (k i | j l) {
      in x : float64 [k i j l]
      in y : float64 [i l]
      out s : float64 [k i]
      out m : int64 [k i]
      loop {
        a = load x : float64
        b = load y : float64
        c = mul a b : float64
        sum = accumulate add c : float64
        best = accumulate argmin c : int64
      }
      each {
        store s sum
        store m best
      }
    }""",
]
