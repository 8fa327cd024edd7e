"""A network of its own for a test that must use the product's own ports."""

import subprocess


class Namespace:
    """A network namespace with loopback alone; ``command`` in front of another runs that in it."""

    def __init__(self) -> None:
        # The namespace lives as long as the process that holds it.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout
        if self._holder.stdout.readline() != "up\n":
            raise AssertionError("a network namespace cannot be made here: unshare(1) and ip(8) as root are needed")
        self.command = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--"]

    def __enter__(self) -> "Namespace":
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout
        self._holder.stdout.close()
