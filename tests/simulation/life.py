"""A random history of a group of workers, told from a seed.

Workers poll, stall, lose their partitions with and without knowing, are killed and replaced, and
wake up again; statements fail and COMMITs stay unanswered; records are good, bad and repeated, and
markers lie between them; refreshes run in between. In the end everything is healed, one worker
reads the rest, and the guarantee must hold.
"""

import random

from tests.contract.broker import Broker
from tests.contract.schedule import Time
from tests.record import value_of
from tests.simulation import guarantee
from tests.simulation.database import Database
from tests.simulation.guarantee import Broken
from tests.simulation.worker import Worker

PARTITIONS = 3
WORKERS = 3
DEEDS = 120


class Life:
    """The workers, who owns what, and what was published."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.time = Time()
        self.broker = Broker(PARTITIONS)
        self.database = Database(self.random)
        self.workers = [self._new_worker() for _ in range(WORKERS)]
        self.zombies: list[Worker] = []
        self.owner: dict[int, int] = {}
        self.published = 0
        for partition in range(PARTITIONS):
            self._give(partition)

    def live(self) -> None:
        """Everything, from the beginning to the end; raises Broken where a sentence is broken."""
        deeds = {
            self._publish: 6,
            self._poll: 12,
            self._fold: 3,
            self._move: 1,
            self._snatch: 1,
            self._kill: 1,
            self._wake_zombie: 1,
            self._ail: 2,
            self._hold: 1,
            self._stall: 1,
        }
        for deed in self.random.choices(list(deeds), list(deeds.values()), k=DEEDS):
            deed()
            guarantee.watch(self.database.tables)
        self._end()

    # -- deeds

    def _publish(self) -> None:
        partition = self.random.randrange(PARTITIONS)
        for _ in range(self.random.randint(1, 12)):
            kind = self.random.random()
            if kind < 0.1:
                self.broker.mark(partition, self.random.randint(1, 3))
            elif kind < 0.2:
                self.broker.publish(partition, self.random.choice([b"rubbish", None]))
            elif kind < 0.4 and self.published:
                self.broker.publish(partition, value_of(self.random.randrange(self.published)))
            else:
                self.broker.publish(partition, value_of(self.published))
                self.published += 1

    def _poll(self) -> None:
        self._run(self.random.choice(self.workers), self.random.randint(1, 4))

    def _fold(self) -> None:
        self.database.fold(self.random.randint(1, 5))

    def _move(self) -> None:
        """Cooperatively: the old owner answers before the new one is told."""
        partition = self.random.randrange(PARTITIONS)
        old = self.workers[self.owner[partition]]
        old.client.decide("on_revoke", partition)
        self._run(old, 1)
        self._give(partition)

    def _snatch(self) -> None:
        """The old owner's session is over, and it learns so at its next poll."""
        partition = self.random.randrange(PARTITIONS)
        self.workers[self.owner[partition]].client.decide("on_lost", partition)
        self._give(partition)

    def _kill(self) -> None:
        """Also a stopped process: what its writer had in hand may still be tried."""
        index = self.random.randrange(WORKERS)
        self.zombies.append(self.workers[index])
        self.workers[index] = self._new_worker()
        for partition, owner in self.owner.items():
            if owner == index:
                self._give(partition)

    def _wake_zombie(self) -> None:
        if self.zombies:
            zombie = self.random.choice(self.zombies)
            zombie.steps.held = False
            zombie.steps.step()

    def _ail(self) -> None:
        """The database gets worse or better."""
        self.database.fault_share = self.random.choice([0.0, 0.0, 0.05, 0.3, 1.0])

    def _hold(self) -> None:
        steps = self.random.choice(self.workers).steps
        steps.held = not steps.held

    def _stall(self) -> None:
        """The watchdog thinks that partitions stand still."""
        self.random.choice(self.workers).pipeline.restart([self.random.randrange(PARTITIONS)])

    def _run(self, worker: Worker, polls: int) -> None:
        worker.poll(polls)
        if worker.client.trespasses:
            raise Broken(3, worker.client.trespasses[0])

    # -- the end

    def _end(self) -> None:
        """Heal everything; the owners read on, then one worker reads what is left."""
        self.database.fault_share = 0.0
        for worker in self.workers:
            worker.behave()
        for _ in range(30):
            for worker in self.workers:
                self._run(worker, 5)
            self._wake_zombie()
        guarantee.watch(self.database.tables)
        guarantee.work_is_done(self.database.tables, self.broker)
        self.database.fold(1_000)
        guarantee.watch(self.database.tables)
        guarantee.everything_is_there(self.database.tables, self.broker)

    # -- who owns what

    def _new_worker(self) -> Worker:
        return Worker(self.broker, self.database, self.time, self.random)

    def _give(self, partition: int) -> None:
        self.owner[partition] = self.random.randrange(WORKERS)
        self.workers[self.owner[partition]].client.decide("on_assign", partition)
