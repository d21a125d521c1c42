"""What no implementation can beat: the arithmetic of an operation at the peak of the device, or its bytes at full bandwidth.

The numbers are those of an H200; other devices are given by a JSON object of the same form (compare.py --peaks).
"""

# Floating-point operations per second of matrix products by precision, and bytes per second.
H200 = {"fp32": 67e12, "tf32": 495e12, "fp64": 67e12, "bandwidth": 4.3e12}


def arithmetic(operation, n, rows):
    """Floating-point operations, symmetry used where it is structural."""
    if operation in ("factor", "factorUpload"):
        return n * n * rows  # one triangle of X'X
    if operation == "inverse":
        return n**3  # Cholesky, inverse of the factor, product of the inverses
    if operation == "root2":
        return 29 * n**3  # eight coupled steps: one full product and two triangles, the first of fewer
    if operation == "root4":
        return 2 * 29 * n**3
    if operation == "eigh":
        return 4 / 3 * n**3  # the reduction to tridiagonal form
    if operation == "precondition":
        return 4 * n**3
    raise ValueError(operation)


def traffic(operation, n, rows):
    """Bytes that must move, float32."""
    if operation in ("factor", "factorUpload"):
        return 4 * (n * rows + n * n)  # X, and a triangle of F read and written
    if operation == "eigh":
        return 4 / 3 * n**3  # the matrix that is left, once for each column of the reduction
    if operation == "precondition":
        return 4 * 4 * n * n
    return 2 * 4 * n * n


def floor(operation, sizes, rows, precision, peaks):
    """Seconds for all matrices together; `sizes` is a list of (n, count)."""
    flops = sum(count * arithmetic(operation, n, rows) for n, count in sizes)
    bytes_moved = sum(count * traffic(operation, n, rows) for n, count in sizes)
    return max(flops / peaks[precision], bytes_moved / peaks["bandwidth"])
