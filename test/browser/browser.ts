/** Headless Chromium, driven by its DevTools protocol. */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { browserEnvironment, findBrowser } from './find.js';

/** A message of the protocol: an answer to a command, or an event. */
interface Message {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: { message: string };
}

interface Evaluated {
  result: { value?: unknown };
  exceptionDetails?: { exception?: { description?: string } };
}

const FLAGS = [
  '--headless',
  // Chromium refuses to run as root with its sandbox; it loads our own pages alone.
  '--no-sandbox',
  '--no-zygote',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--remote-debugging-port=0',
];

export class Browser {
  readonly #child: ChildProcess;
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  /** Events, by session and name. */
  readonly #events = new EventEmitter();
  #lastId = 0;

  private constructor(child: ChildProcess, socket: WebSocket) {
    this.#child = child;
    this.#socket = socket;
    socket.on('message', data => this.#receive(JSON.parse(String(data)) as Message));
    socket.on('close', () => {
      for (const { reject } of this.#pending.values()) reject(new Error('the browser has ended'));
    });
  }

  /** Starts one that keeps its files in this folder. */
  static async launch(folder: string): Promise<Browser> {
    const args = [...FLAGS, `--user-data-dir=${folder}`, 'about:blank'];
    const env = { ...browserEnvironment(), HOME: folder };
    const child = spawn(findBrowser()!, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const printed: string[] = [];
    const url = await new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`the browser did not start:\n${printed.join('\n')}`)));
      createInterface(child.stderr!).on('line', line => {
        printed.push(line);
        const [, found] = /^DevTools listening on (ws:.*)$/.exec(line) ?? [];
        if (found !== undefined) resolve(found);
      });
    });
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await once(socket, 'open');
    return new Browser(child, socket);
  }

  #receive({ id, sessionId = '', method, params, result, error }: Message): void {
    if (id === undefined) {
      this.#events.emit(`${sessionId} ${method}`, params);
      return;
    }
    const waiting = this.#pending.get(id)!;
    this.#pending.delete(id);
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(new Error(error.message));
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }

  on(sessionId: string, method: string, listener: (params: unknown) => void): void {
    this.#events.on(`${sessionId} ${method}`, listener);
  }

  once(sessionId: string, method: string): Promise<unknown> {
    return once(this.#events, `${sessionId} ${method}`);
  }

  async newPage(): Promise<Page> {
    const { targetId } = (await this.send('Target.createTarget', { url: 'about:blank' })) as {
      targetId: string;
    };
    const attached = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, (attached as { sessionId: string }).sessionId, targetId);
    await page.enable();
    return page;
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.send('Browser.close').catch(() => {});
    await ended;
  }
}

/** One tab. */
export class Page {
  readonly #browser: Browser;
  readonly #session: string;
  readonly #target: string;
  /** What the page complained of: exceptions, and requests that failed. */
  readonly errors: string[] = [];

  constructor(browser: Browser, session: string, target: string) {
    this.#browser = browser;
    this.#session = session;
    this.#target = target;
  }

  send(method: string, params?: object): Promise<unknown> {
    return this.#browser.send(method, params, this.#session);
  }

  async enable(): Promise<void> {
    this.#browser.on(this.#session, 'Runtime.exceptionThrown', params => {
      this.errors.push(JSON.stringify((params as { exceptionDetails: unknown }).exceptionDetails));
    });
    this.#browser.on(this.#session, 'Log.entryAdded', params => {
      const { level, text, url } = (params as { entry: Record<string, string> }).entry;
      if (level === 'error') this.errors.push(`${text} ${url ?? ''}`);
    });
    for (const domain of ['Page', 'Runtime', 'Log', 'DOM']) await this.send(`${domain}.enable`);
  }

  /** Does what loads a page, and resolves once that has loaded. */
  async loading(action: () => Promise<unknown>): Promise<void> {
    const loaded = this.#browser.once(this.#session, 'Page.loadEventFired');
    await action();
    await loaded;
  }

  async goto(url: string): Promise<void> {
    await this.loading(async () => {
      const { errorText } = (await this.send('Page.navigate', { url })) as { errorText?: string };
      if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    });
  }

  /** The value of an expression in the page, awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = (await this.send('Runtime.evaluate', options)) as Evaluated;
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? JSON.stringify(exceptionDetails));
    }
    return result.value as T;
  }

  /** Resolves to the value of an expression once that is true; looks at each frame of the page. */
  waitFor<T>(expression: string): Promise<T> {
    return this.evaluate(`new Promise((resolve, reject) => {
      const look = () => {
        try {
          const value = (() => ${expression})();
          if (value) resolve(value);
          else setTimeout(look, 10);
        } catch (error) {
          reject(error);
        }
      };
      look();
    })`);
  }

  /** The size of the window, as a telephone has it or a desk. */
  async resize(width: number, height: number, mobile: boolean): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile });
  }

  /** What the user prefers: 'dark' or 'light'. */
  async prefer(scheme: 'dark' | 'light'): Promise<void> {
    await this.send('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: scheme }],
    });
  }

  /** Chooses a file in the input that a selector finds. */
  async choose(selector: string, file: string): Promise<void> {
    const { root } = (await this.send('DOM.getDocument')) as { root: { nodeId: number } };
    const found = await this.send('DOM.querySelector', { nodeId: root.nodeId, selector });
    await this.send('DOM.setFileInputFiles', { files: [file], nodeId: (found as { nodeId: number }).nodeId });
  }

  async screenshot(path: string): Promise<void> {
    const { data } = (await this.send('Page.captureScreenshot')) as { data: string };
    writeFileSync(path, Buffer.from(data, 'base64'));
  }

  async close(): Promise<void> {
    await this.#browser.send('Target.closeTarget', { targetId: this.#target });
  }
}
