/** A clock that stands still until a test moves it. */
export class Clock {
  constructor() {
    this.time = 1_000_000;
    this.timers = new Map();
    this.last = 0;
    this.set = 0; // what the wall clock is beyond this one
  }

  now() {
    return this.time;
  }

  wall() {
    return this.time + this.set;
  }

  setTimeout(run, delay) {
    this.timers.set(++this.last, { run, due: this.time + delay });
    return this.last;
  }

  clearTimeout(id) {
    this.timers.delete(id);
  }

  /** Move on by `ms`, running what falls due, each at its own time. */
  advance(ms) {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.timers].filter(([, timer]) => timer.due <= end).sort((a, b) => a[1].due - b[1].due)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].due);
      due[1].run();
    }
    this.time = end;
  }

  /** The machine sleeps: time goes on, and no timer runs. */
  sleep(ms) {
    this.time += ms;
  }
}
