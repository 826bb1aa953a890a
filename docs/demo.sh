#!/usr/bin/env bash
# The main job end to end on real servers, counted and proven. Called by `make demo`, after set-up.
#
# Every step prints the command it runs: what is shown can be typed. Safe to run again: each run
# publishes new events into the same topic and database, and counts only its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PWD/.venv/bin:$PATH
log=.local/log/demo.log

bold=$'\e[1m' plain=$'\e[0m'
# Tables need some width; where nobody watches, there is no terminal to ask.
[ -t 1 ] || { bold='' plain='' && export COLUMNS=120; }

step() { printf '\n%s── %s%s\n' "$bold" "$*" "$plain"; }
show() {
    printf '$ %s\n' "$*"
    "$@"
}

days_ago() { # number; `date` has no portable way to say it
    python -c 'import sys, datetime as d
print(d.datetime.now(d.UTC).date() - d.timedelta(days=int(sys.argv[1])))' "$1"
}

step "A real Kafka and a real PostgreSQL"
show python -m tests.services up
# shellcheck source=/dev/null  # written by the line above
source .local/env
mkdir -p .local/log

step "Schema and topic"
show ingester migrate
python - <<'TOPIC'
from ingester.kafka import Admin
from ingester.settings import load_settings

settings = load_settings()
made = Admin(settings).create_topic(settings.kafka_topic, partitions=4)
print(f"topic {settings.kafka_topic}", "created with 4 partitions" if made else "exists")
TOPIC
ingester status --json >.local/demo-before.json

step "200,000 events, 1 % of them duplicates, 0.1 % invalid"
printf '$ %s\n' "ingester simulate --events 200000 --duplicates 0.01 --invalid 0.001"
ingester simulate --events 200000 --duplicates 0.01 --invalid 0.001 --json >.local/demo-published.json

step "Two workers, until everything published so far is stored (log: $log)"
printf '$ %s\n' "ingester run --workers 2 --until-caught-up"
ingester run --workers 2 --until-caught-up 2>"$log" || {
    status=$?
    tail -n 20 "$log" >&2
    exit $status
}

step "Statistics, from the new events only"
show ingester refresh --once

step "What became of every record"
ingester status --json >.local/demo-after.json
python docs/demo_balance.py .local/demo-{published,before,after}.json

step "The top campaigns by day"
show ingester stats --from "$(days_ago 3)" --to "$(days_ago 1)" --by day --top 5

step "Proof: ledger, rows, totals and roll-ups agree"
show ingester verify

step "Where to go next"
cat <<'NEXT'
source .local/env                                           # these two servers, in your shell
ingester simulate --events 10000 --rate 500 & ingester run   # live traffic
ingester stats --from 2026-01-01 --to 2026-12-31 --by month
ingester verify --against-topic                              # reads Kafka again, event by event
make test                                                    # kills, restarts, rebalances, poison
make down                                                    # stops exactly what make demo started
docs/architecture.md                                         # how it works, and what it promises
NEXT
