/** A clock that runs while a page is in sight. */

export class ViewClock {
  #seen = 0;
  #since: number | null = null;
  #told = 0;

  constructor(
    visible: boolean,
    private readonly now: () => number = () => performance.now(),
  ) {
    if (visible) this.#since = now();
  }

  show(): void {
    this.#since ??= this.now();
  }

  hide(): void {
    if (this.#since !== null) this.#seen += this.now() - this.#since;
    this.#since = null;
  }

  /** Seconds in sight so far. */
  get seconds(): number {
    const running = this.#since === null ? 0 : this.now() - this.#since;
    return (this.#seen + running) / 1000;
  }

  /** The seconds so far if they are worth telling: at least one more than was told before. */
  worthTelling(): number | null {
    if (this.seconds < this.#told + 1) return null;
    this.#told = this.seconds;
    return this.seconds;
  }
}
