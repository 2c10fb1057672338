"""The tutorial's function: how many primes are below a number, written in two ways."""


def count_primes(below: int) -> int:
    """Divide each number by those below it, until one goes."""
    return sum(all(n % d for d in range(2, n)) for n in range(2, below))


def count_primes_to_root(below: int) -> int:
    """Stop at the square root: a larger divisor comes with a smaller one."""
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, below))
