// What @stomp/stompjs must see, in Node as in a browser. A case gets `at`: a way to make peers that are closed afterwards.

import { fresh } from './peer.js';

export function same(expected, actual, what = 'value') {
  const [left, right] = [JSON.stringify(expected), JSON.stringify(actual)];
  if (left !== right) throw new Error(`${what}: expected ${left}, got ${right}`);
}

export function yes(truth, what) {
  if (!truth) throw new Error(what);
}

/** A queue with the bodies '1' to `count`. */
async function filled(at, count) {
  const queue = fresh();
  const sender = await at.peer();
  for (let i = 1; i <= count; i++) await sender.send(queue, String(i));
  return queue;
}

/** What a new consumer finds there: pairs of body and whether it is marked as redelivered. */
async function left(at, queue, count) {
  const peer = await at.peer();
  await peer.subscribe(queue);
  const found = [];
  for (let i = 0; i < count; i++) {
    const message = await peer.message();
    found.push([message.body, message.headers.redelivered === 'true']);
  }
  await peer.messages.silence();
  return found;
}

/** For every version and kind of WebSocket message. */
export const cases = {
  async 'connects and is told version, session and server'(at) {
    const peer = await at.peer();
    const { headers } = peer.session;
    if (at.version !== '1.0') same(at.version, headers.version, 'version');
    yes(headers.session && headers.server, 'session and server are due');
    same(at.version, peer.client.connectedVersion ?? '1.0', 'version of the client');
  },

  async 'a message comes back as it was sent'(at) {
    const queue = fresh();
    const peer = await at.peer();
    await peer.subscribe(queue);
    await peer.send(queue, 'zażółć ☃ 🐘', { 'content-type': 'text/plain', type: 'mail', 'x-name': 'Łódź ☃' });
    const message = await peer.message();
    same('zażółć ☃ 🐘', message.body, 'body');
    same(queue, message.headers.destination, 'destination');
    same('text/plain', message.headers['content-type'], 'content-type');
    same('mail', message.headers.type, 'type');
    same('Łódź ☃', message.headers['x-name'], 'x-name');
    same(undefined, message.headers.receipt, 'receipt');
  },

  async 'every octet of a body survives'(at) {
    const queue = fresh();
    const peer = await at.peer();
    const body = new Uint8Array(259);
    for (let i = 0; i < 256; i++) body[i] = i;
    await peer.send(queue, body, { 'content-type': 'application/octet-stream' });
    await peer.subscribe(queue);
    same([...body], [...(await peer.message()).binaryBody], 'octets');
  },

  async 'a large body and an empty one survive'(at) {
    const queue = fresh();
    const peer = await at.peer();
    const large = '0123456789abcdef'.repeat(32768);
    await peer.send(queue, large);
    await peer.send(queue, '');
    await peer.subscribe(queue);
    yes((await peer.message()).body === large, 'the large body changed');
    same('', (await peer.message()).body, 'empty body');
  },

  async 'a backlog keeps its order'(at) {
    const queue = await filled(at, 20);
    const peer = await at.peer();
    await peer.subscribe(queue);
    same(Array.from({ length: 20 }, (_, i) => String(i + 1)), await peer.bodies(20), 'bodies');
  },

  async 'client-individual acknowledges one'(at) {
    const queue = await filled(at, 3);
    const peer = await at.peer();
    await peer.subscribe(queue, 'client-individual');
    await peer.message();
    await peer.ack(await peer.message());
    await peer.leave();
    same([['1', true], ['3', true]], await left(at, queue, 2), 'left');
  },

  async 'client acknowledges all that came before'(at) {
    const queue = await filled(at, 4);
    const peer = await at.peer();
    await peer.subscribe(queue, 'client');
    await peer.message();
    await peer.message();
    await peer.ack(await peer.message());
    await peer.leave();
    same([['4', true]], await left(at, queue, 1), 'left');
  },

  async 'auto acknowledges by itself'(at) {
    const queue = await filled(at, 2);
    const peer = await at.peer();
    await peer.subscribe(queue);
    await peer.bodies(2);
    await peer.leave();
    same([], await left(at, queue, 0), 'left');
  },

  async 'a lost socket returns what was not acknowledged'(at) {
    const queue = await filled(at, 2);
    const peer = await at.peer();
    await peer.subscribe(queue, 'client-individual');
    await peer.bodies(2);
    await peer.vanish();
    same([['1', true], ['2', true]], await left(at, queue, 2), 'left');
  },

  async 'unsubscribe ends the deliveries'(at) {
    const queue = fresh();
    const peer = await at.peer();
    await peer.subscribe(queue);
    await peer.receipted((headers) => peer.subscription.unsubscribe(headers));
    await peer.send(queue, 'later');
    await peer.messages.silence();
    same([['later', false]], await left(at, queue, 1), 'left');
  },

  async 'a transaction commits its sends together'(at) {
    const queue = fresh();
    const [peer, reader] = [await at.peer(), await at.peer()];
    await reader.subscribe(queue);
    const transaction = peer.client.begin();
    await peer.send(queue, '1', { transaction: transaction.id });
    await peer.send(queue, '2', { transaction: transaction.id });
    await reader.messages.silence();
    transaction.commit();
    same(['1', '2'], await reader.bodies(2), 'bodies');
  },

  async 'an aborted transaction leaves nothing behind'(at) {
    const [queue, target] = [await filled(at, 1), fresh()];
    const peer = await at.peer();
    await peer.subscribe(queue, 'client-individual');
    const transaction = peer.client.begin();
    await peer.send(target, 'never', { transaction: transaction.id });
    await peer.ack(await peer.message(), { transaction: transaction.id });
    transaction.abort();
    await peer.leave();
    same([['1', true]], await left(at, queue, 1), 'left');
    same([], await left(at, target, 0), 'target');
  },

  async 'a message moves in one transaction'(at) {
    const [queue, target] = [await filled(at, 1), fresh()];
    const peer = await at.peer();
    await peer.subscribe(queue, 'client-individual');
    const transaction = peer.client.begin();
    await peer.send(target, 'moved', { transaction: transaction.id });
    await peer.ack(await peer.message(), { transaction: transaction.id });
    transaction.commit();
    await peer.leave();
    same([], await left(at, queue, 0), 'left');
    same([['moved', false]], await left(at, target, 1), 'target');
  },

  async 'a topic reaches all that listen and none that come late'(at) {
    const topic = fresh('topic');
    const [a, b, late, sender] = [await at.peer(), await at.peer(), await at.peer(), await at.peer()];
    await a.subscribe(topic);
    await b.subscribe(topic);
    await sender.send(topic, 'news');
    await late.subscribe(topic);
    same(['news', 'news'], [(await a.message()).body, (await b.message()).body], 'bodies');
    await late.messages.silence();
  },

  async 'a request is answered over a temporary queue'(at) {
    const queue = fresh();
    const [client, server] = [await at.peer(), await at.peer()];
    await server.subscribe(queue);
    await client.subscribe('/temp-queue/replies');
    await client.send(queue, '6*7', { 'reply-to': '/temp-queue/replies', 'correlation-id': 'c1' });
    const request = await server.message();
    await server.send(request.headers['reply-to'], '42', { 'correlation-id': request.headers['correlation-id'] });
    const reply = await client.message();
    same(['42', 'c1'], [reply.body, reply.headers['correlation-id']], 'reply');
  },

  async 'an ERROR says why and ends the socket'(at) {
    const peer = await at.peer();
    peer.client.commit('nobody');
    const frame = await peer.error();
    yes(frame.headers.message, 'a message header is due');
  },

  async 'an ERROR of one leaves another alone'(at) {
    const queue = fresh();
    const [good, bad] = [await at.peer(), await at.peer()];
    await good.subscribe(queue);
    bad.client.commit('nobody');
    await bad.error();
    await good.send(queue, 'still here');
    same('still here', (await good.message()).body, 'body');
  },
};

/** For versions that have NACK. */
export const nackCases = {
  async 'a nacked message comes back with its count'(at) {
    const queue = await filled(at, 1);
    const peer = await at.peer();
    await peer.subscribe(queue, 'client-individual');
    const first = await peer.message();
    same(undefined, first.headers.redelivered, 'redelivered at first');
    await peer.nack(first);
    const again = await peer.message();
    same(first.headers['message-id'], again.headers['message-id'], 'message-id');
    same(['true', '2'], [again.headers.redelivered, again.headers['delivery-count']], 'marks');
    await peer.ack(again);
    await peer.leave();
    same([], await left(at, queue, 0), 'left');
  },

  async 'the limit of deliveries ends in the dead-letter queue'(at) {
    const queue = await filled(at, 1);
    const peer = await at.peer();
    await peer.subscribe(queue, 'client-individual');
    for (let delivery = 1; delivery <= 16; delivery++) {
      const message = await peer.message();
      same(String(delivery), message.headers['delivery-count'] ?? '1', 'delivery-count');
      await peer.nack(message);
    }
    await peer.messages.silence();
    await peer.subscribe(queue.replace('/queue/', '/queue/DLQ.'));
    const dead = await peer.message();
    same('1', dead.body, 'body');
    yes(Object.keys(dead.headers).some((name) => name.includes('reason')), 'a reason header is due');
  },

  async 'heart-beats keep an idle socket alive'(at) {
    const peer = await at.peer({ heartbeatIncoming: 1000, heartbeatOutgoing: 1000 });
    yes(peer.session.headers['heart-beat'] !== '0,0', 'heart-beats were not agreed');
    await new Promise((resolve) => setTimeout(resolve, 3500));
    yes(peer.client.connected, 'the connection ended');
    await peer.send(fresh(), 'x');
  },
};

/** For 1.2, where the client escapes. */
export const escapeCases = {
  async 'colons, backslashes and line feeds of headers survive'(at) {
    const queue = fresh();
    const peer = await at.peer();
    // Names are not escaped by this client, and it reads an escaped backslash before c, n or r wrongly.
    const tricky = 'a:b\\ \n\rd';
    await peer.send(queue, 'x', { 'x-tricky': tricky });
    await peer.subscribe(queue);
    same(tricky, (await peer.message()).headers['x-tricky'], 'x-tricky');
  },
};

/** Once, with the default client: what is not of a version. */
export const onceCases = {
  async 'the highest common version is taken'(at) {
    const peer = await at.peer({ versions: ['1.0', '1.1', '1.2'] });
    same('1.2', peer.client.connectedVersion, 'version');
    same('v12.stomp', peer.client.webSocket.protocol, 'subprotocol');
  },

  async 'a frame split over WebSocket messages is put together'(at) {
    const queue = fresh();
    const peer = await at.peer({ splitLargeFrames: true, maxWebSocketChunkSize: 100 });
    const body = 'zażółć '.repeat(2000);
    await peer.send(queue, body);
    await peer.subscribe(queue);
    yes((await peer.message()).body === body.trimEnd() + ' ', 'the body changed');
  },

  async 'a first frame other than CONNECT gets an ERROR and the end'(at) {
    const socket = new at.WebSocket(at.url, ['v12.stomp']);
    const answer = await new Promise((resolve, reject) => {
      let text = '';
      socket.onopen = () => socket.send('SEND\ndestination:/queue/js.early\n\nx\0');
      socket.onmessage = (event) => (text += event.data);
      socket.onclose = () => resolve(text);
      setTimeout(() => reject(new Error('not closed in 5 s')), 5000);
    });
    yes(answer.startsWith('ERROR\n') && answer.includes('\nmessage:'), `ERROR is due, not ${JSON.stringify(answer)}`);
  },

  async 'an unknown version is refused with a message'(at) {
    const peer = at.stranger({ versions: ['9.9'] });
    peer.client.webSocketFactory = () => new at.WebSocket(at.url, ['v12.stomp']);
    peer.client.activate();
    yes((await peer.error()).headers.message, 'a message is due');
  },

  async 'a prefetch of one shares the work'(at) {
    const queue = await filled(at, 2);
    const [one, two] = [await at.peer(), await at.peer()];
    await one.subscribe(queue, 'client-individual', { 'prefetch-count': '1' });
    await two.subscribe(queue, 'client-individual', { 'prefetch-count': '1' });
    same(['1', '2'], [(await one.message()).body, (await two.message()).body].sort(), 'bodies');
    await one.messages.silence();
  },
};
