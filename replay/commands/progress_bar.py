"""A progress bar on standard error, which goes when the work is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Lends a function that shows what is being done, how much of it is done, and of how much."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=max(total, 1))

        yield show
