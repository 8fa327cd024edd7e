"""The commands of ``stork`` that import Crossbar."""
