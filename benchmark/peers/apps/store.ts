/** What the key-value servers share: SET, GET, DEL and PING of RESP, the protocol of Redis. */

const STAR = '*'.charCodeAt(0);
const CR = '\r'.charCodeAt(0);
const ZERO = '0'.charCodeAt(0);

const values = new Map<string, string>();

/** Commands by name; texts are latin1, so that they hold any bytes. */
const COMMANDS: Record<string, (args: string[]) => string> = {
  SET([, key, value]) {
    values.set(key!, value!);
    return '+OK\r\n';
  },
  GET([, key]) {
    const value = values.get(key!);
    return value === undefined ? '$-1\r\n' : `$${value.length}\r\n${value}\r\n`;
  },
  DEL([, ...keys]) {
    return `:${keys.filter(key => values.delete(key)).length}\r\n`;
  },
  PING: () => '+PONG\r\n',
};

/** One connection: parses its commands, which may arrive in pieces. */
export class Session {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** The answers to all commands that are complete now; null if none is. */
  take(chunk: Buffer): Buffer | null {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    let answers = '';
    let done = 0;
    this.#at = 0;
    for (let args = this.#command(); args !== null; args = this.#command()) {
      const command = COMMANDS[args[0]!.toUpperCase()];
      answers += command === undefined ? '-ERR unknown command\r\n' : command(args);
      done = this.#at;
    }
    this.#bytes = this.#bytes.subarray(done);
    return answers === '' ? null : Buffer.from(answers, 'latin1');
  }

  /** The next command, `*COUNT\r\n` and as many `$LENGTH\r\nBYTES\r\n`; null if it is incomplete. */
  #command(): string[] | null {
    if (this.#bytes[this.#at] !== STAR) return null;
    const count = this.#number();
    const args: string[] = [];
    while (args.length < count) {
      const length = this.#number();
      const end = this.#at + length;
      if (length < 0 || end + 2 > this.#bytes.length) return null;
      args.push(this.#bytes.toString('latin1', this.#at, end));
      this.#at = end + 2;
    }
    return count < 1 ? null : args;
  }

  /** The number in this line, after its first character; -1 if it is incomplete. */
  #number(): number {
    const bytes = this.#bytes;
    const end = bytes.indexOf(CR, this.#at);
    if (end < 0 || end + 2 > bytes.length) return -1;
    let number = 0;
    for (let at = this.#at + 1; at < end; at++) number = number * 10 + bytes[at]! - ZERO;
    this.#at = end + 2;
    return number;
  }
}
