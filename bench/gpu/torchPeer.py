"""The same work in torch, on the same device."""

import time

import torch

DAMPING = 1e-3
DECAY = 0.95


def positive_definite(n, device):
    """A symmetric matrix of condition 1000, as that of workload.cc: reflections of a geometric spectrum."""
    generator = torch.Generator().manual_seed(n)
    a = torch.diag(torch.logspace(0, -3, n, dtype=torch.float64) if n > 1 else torch.ones(1, dtype=torch.float64))
    a = a.to(device)
    for _ in range(6 if n > 1 else 0):
        v = torch.randn(n, dtype=torch.float64, generator=generator).to(device)
        v /= v.norm()
        av = a @ v
        a += -2 * torch.outer(v, av) - 2 * torch.outer(av, v) + 4 * (v @ av) * torch.outer(v, v)
    return ((a + a.T) / 2).float()


def inverse_root(a, power):
    values, vectors = torch.linalg.eigh(a)
    return (vectors * values.pow(-1 / power).unsqueeze(-2)) @ vectors.mT


class TorchPeer:
    """Matrices of one size are stacked; sizes follow one another, as torch has no call for several."""

    def __init__(self):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.prepared = None

    def about(self):
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else "the CPU"
        return f"torch {torch.__version__} on {name}"

    @staticmethod
    def variants(operation):
        """Names of the ways there are, with the precision of their products."""
        return {
            "factor": {"addmm": "fp32", "addmm tf32": "tf32"},
            "factorUpload": {"addmm": "fp32", "addmm tf32": "tf32"},
            "inverse": {"linalg.inv": "fp32", "cholesky_inverse": "fp32"},
            "root2": {"eigh": "fp32"},
            "root4": {"eigh": "fp32"},
            "eigh": {"eigh": "fp32"},
            "precondition": {"matmul": "fp32", "matmul tf32": "tf32"},
        }[operation]

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def measure(self, operation, variant, sizes, rows, seconds):
        """Mean time of doing all of it once, in seconds."""
        torch.backends.cuda.matmul.allow_tf32 = variant.endswith("tf32")
        key = (operation, tuple(sizes), rows)
        if self.prepared is None or self.prepared[0] != key:
            self.prepared = None
            self.prepared = (key, [self.prepare(operation, n, count, rows) for n, count in sizes])
        work = [self.work(operation, variant, *arguments) for arguments in self.prepared[1]]
        for one in work:
            one()
        self.synchronize()
        count = 0
        begin = now = time.perf_counter()
        while count == 0 or now - begin < seconds:
            for one in work:
                one()
            self.synchronize()
            count += 1
            now = time.perf_counter()
        return (now - begin) / count

    def prepare(self, operation, n, count, rows):
        if operation in ("factor", "factorUpload"):
            x = torch.rand(count, rows, n) * 2 - 1
            if operation == "factor":
                x = x.to(self.device)
            return x, torch.rand(count, n, n, device=self.device)
        a = positive_definite(n, self.device).expand(count, n, n).contiguous()
        return a, torch.rand(count, n, n, device=self.device)

    def work(self, operation, variant, first, second):
        if operation in ("factor", "factorUpload"):
            scale = (1 - DECAY) / first.shape[1]

            def update():
                x = first.to(self.device)
                second.baddbmm_(x.mT, x, beta=DECAY, alpha=scale)

            return update
        if operation == "precondition":
            return lambda: first @ second @ first
        if operation == "eigh":
            return lambda: torch.linalg.eigh(first)
        damped = first + DAMPING * torch.eye(first.shape[-1], device=self.device)
        if operation == "inverse":
            if variant == "linalg.inv":
                return lambda: torch.linalg.inv(damped)
            return lambda: torch.cholesky_inverse(torch.linalg.cholesky(damped))
        return lambda: inverse_root(damped, 2 if operation == "root2" else 4)
