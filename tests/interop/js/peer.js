// A @stomp/stompjs client whose callbacks are mailboxes. Runs in Node and in a browser.

import { Client, Versions } from '@stomp/stompjs';
import { Mailbox } from './mailbox.js';

let numbers = 0;
const run = Math.random().toString(36).slice(2, 10);

/** A destination that nobody else uses. */
export const fresh = (kind = 'queue') => `/${kind}/js.${run}.${++numbers}`;

export class Peer {
  /** `options` are those of the client; `versions` is a list such as `['1.2']`. */
  constructor(place, { versions = ['1.2'], ...options } = {}) {
    this.messages = new Mailbox('message');
    this.receipts = new Mailbox('receipt');
    this.errors = new Mailbox('error');
    this.ends = new Mailbox('end');
    this.connects = new Mailbox('connection');
    this.client = new Client({
      brokerURL: place.url,
      connectHeaders: place.connectHeaders ?? {},
      reconnectDelay: 0,
      heartbeatIncoming: 0,
      heartbeatOutgoing: 0,
      stompVersions: new Versions(versions),
      onConnect: (frame) => this.connects.put(frame),
      onStompError: (frame) => this.errors.put(frame),
      onWebSocketClose: (event) => this.ends.put(event),
      onUnhandledReceipt: (frame) => this.receipts.put(frame.headers['receipt-id']),
      ...options,
    });
  }

  /** Connects; the CONNECTED frame. */
  async start() {
    this.client.activate();
    this.session = await this.connects.take();
    return this;
  }

  /** Does what `verb` does with the headers it gets, and waits for its receipt. */
  async receipted(verb, headers = {}) {
    const receipt = `r-${++numbers}`;
    verb({ ...headers, receipt });
    const came = await this.receipts.take();
    if (came !== receipt) throw new Error(`receipt ${came} where ${receipt} is due`);
  }

  send(destination, body, headers = {}) {
    const content = body instanceof Uint8Array ? { binaryBody: body } : { body };
    return this.receipted((all) => this.client.publish({ destination, headers: all, ...content }), headers);
  }

  subscribe(destination, ack = 'auto', headers = {}) {
    return this.receipted((all) => {
      this.subscription = this.client.subscribe(destination, (message) => this.messages.put(message), all);
    }, { ack, ...headers });
  }

  message() {
    return this.messages.take();
  }

  async bodies(count) {
    const found = [];
    for (let i = 0; i < count; i++) found.push((await this.message()).body);
    return found;
  }

  ack(message, headers) {
    return this.receipted((all) => message.ack(all), headers);
  }

  /** Without the wait that the broker would choose. */
  nack(message, headers) {
    return this.receipted((all) => message.nack(all), { 'x-delay': '0', ...headers });
  }

  /** The ERROR that must come, and the end of the socket behind it. */
  async error() {
    const frame = await this.errors.take();
    await this.ends.take();
    return frame;
  }

  /** DISCONNECT with a receipt, then the close. */
  async leave() {
    await this.client.deactivate();
    await this.ends.take();
  }

  /** Ends the socket without a word. */
  async vanish() {
    await this.client.deactivate({ force: true });
  }
}
