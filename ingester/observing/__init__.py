"""What an operator sees of a running process: metrics, health, and the watch over both.

    metric     every metric there is: a closed list; pure
    meter      takes the figures in; the only module that imports prometheus_client
    stopwatch  how long the stages of a batch take
    watch      looks now and then at the topic, the database and whether all partitions move
    health     judges by the metrics alone whether the process lives and is ready; pure
    page       /metrics, /livez and /readyz on one port

Figures are taken per batch, per rebalance, per look, never per event. Several workers share one
port: prometheus_client's multiprocess mode keeps each worker's figures in a memory-mapped file, so
a worker that is killed loses none of its counts, and the supervisor serves their sum.
"""
