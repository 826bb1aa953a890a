"""kafka-python, imported without the warnings of its own set-up.

It reads its protocol's schemas through an API that Python 3.11 calls deprecated (3.13 took the
warning back); the tests turn every warning into an error.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition

__all__ = ["KafkaConsumer", "KafkaProducer", "TopicPartition"]
