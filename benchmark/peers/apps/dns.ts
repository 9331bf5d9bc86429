/** What the DNS forwarders share. A message starts with its ID, which they replace, to tell the answers of one server apart. */

/** How many questions can be open. */
const IDS = 65536;

/** The open questions. `Client` is where a question came from. */
export class Questions<Client> {
  readonly #clients: (Client | undefined)[] = new Array(IDS);
  readonly #ids = new Uint16Array(IDS);
  #next = 0;

  /** A question: gives it an ID of ours. */
  open(message: Buffer, client: Client): void {
    const id = this.#next;
    this.#next = (id + 1) % IDS;
    this.#clients[id] = client;
    this.#ids[id] = message.readUInt16BE(0);
    message.writeUInt16BE(id, 0);
  }

  /** An answer: gives it the ID that its question had, and returns the client; undefined if no question is open under its ID. */
  close(message: Buffer): Client | undefined {
    const id = message.readUInt16BE(0);
    const client = this.#clients[id];
    this.#clients[id] = undefined;
    message.writeUInt16BE(this.#ids[id]!, 0);
    return client;
  }
}
