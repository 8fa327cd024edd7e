"""The guard's decisions without I/O: early refusals, the reading of answers, and how long they hold."""
