// A queue that is filled by callbacks and emptied by tests, which wait for a bounded time.

const PATIENCE_MS = 5000;
const SILENCE_MS = 200;

export class Mailbox {
  constructor(name) {
    this.name = name;
    this.waiting = [];
    this.takers = [];
  }

  put(item) {
    const taker = this.takers.shift();
    if (taker) taker(item);
    else this.waiting.push(item);
  }

  /** The next item; fails when none comes in time. */
  take(patience = PATIENCE_MS) {
    if (this.waiting.length > 0) return Promise.resolve(this.waiting.shift());
    return new Promise((resolve, reject) => {
      const taker = (item) => {
        clearTimeout(timer);
        resolve(item);
      };
      const timer = setTimeout(() => {
        this.takers.splice(this.takers.indexOf(taker), 1);
        reject(new Error(`no ${this.name} in ${patience} ms`));
      }, patience);
      this.takers.push(taker);
    });
  }

  /** Fails when an item comes. */
  async silence() {
    const item = await this.take(SILENCE_MS).catch(() => undefined);
    if (item !== undefined) throw new Error(`a ${this.name} where none is due: ${item}`);
  }
}
