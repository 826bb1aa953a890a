"""A progress bar on standard error, where somebody watches."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

Show = Callable[[str, int, int], None]
"""show(what is being done, how much of it is done, how much there is)."""


@contextlib.contextmanager
def progress() -> Iterator[Show]:
    """Show what is being done, with rate and remaining time."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)
        shown = 0

        def show(what: str, done: int, total: int) -> None:
            nonlocal shown
            if total != shown:
                # Other work has a rate of its own.
                bar.reset(task, total=max(total, 1))
                shown = total
            bar.update(task, description=what, completed=done)

        yield show
