"""The dashboard as people meet it: a real process, a real Chromium, events through a real Kafka."""
