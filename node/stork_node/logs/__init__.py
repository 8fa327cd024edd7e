"""The log of every process: lines of bounded size, written without waiting for a reader."""
