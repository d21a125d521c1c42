"""Measures numpy, scipy and torch on one thread; for the protocol see peer.ts."""

import sys
import time

import numpy as np
import scipy
import scipy.linalg
import torch

torch.set_num_threads(1)

# Inverses of a symmetric positive definite float32 matrix. scipy finds out by itself that it is one.
OPERATIONS = {
    "numpy.inv": lambda a, _: np.linalg.inv(a),
    "scipy.inv": lambda a, _: scipy.linalg.inv(a, check_finite=False),
    "torch.inv": lambda _, t: torch.linalg.inv(t),
    "torch.cholesky_inverse": lambda _, t: torch.cholesky_inverse(torch.linalg.cholesky(t)),
}

matrices = {}


def matrix(n):
    """A matrix of condition 1000, as a numpy array and as a torch tensor."""
    if n not in matrices:
        q, _ = np.linalg.qr(np.random.default_rng(n).standard_normal((n, n)))
        a = ((q * np.geomspace(1, 1e-3, n)) @ q.T).astype(np.float32)
        a = (a + a.T) / 2
        matrices[n] = (a, torch.from_numpy(a))
    return matrices[n]


def measure(operation, n, seconds):
    work = OPERATIONS[operation]
    arguments = matrix(n)
    count = 0
    begin = now = time.perf_counter()
    while now - begin < seconds:
        work(*arguments)
        count += 1
        now = time.perf_counter()
    return (now - begin) / count


for line in sys.stdin:
    operation, n, _, seconds = line.split()
    try:
        if operation == "about":
            print(f"numpy {np.__version__}, scipy {scipy.__version__}, torch {torch.__version__}")
        else:
            print(repr(measure(operation, int(n), float(seconds))))
    except Exception as error:  # Goes to the caller, who ends the benchmark with it.
        print(f"error: {error}")
