// Runs the cases in each version and each kind of WebSocket message, one after the other.

import { cases, escapeCases, nackCases, onceCases } from './cases.js';
import { Peer } from './peer.js';

const settings = [
  { name: '1.0', versions: ['1.0'] },
  { name: '1.1', versions: ['1.1'] },
  { name: '1.2', versions: ['1.2'] },
  { name: '1.2 in binary messages', versions: ['1.2'], forceBinaryWSFrames: true },
];

/** Runs everything at `place` (`url`, `WebSocket`) and tells `report(name, error or undefined)`; the two counts. */
export async function runAll(place, report) {
  const count = { passed: 0, failed: 0 };
  for (const { name, ...options } of settings) {
    const version = options.versions[0];
    const all = { ...cases, ...(version === '1.0' ? {} : nackCases), ...(version === '1.2' ? escapeCases : {}) };
    await runSome(place, name, version, options, all, count, report);
  }
  await runSome(place, 'once', '1.2', { versions: ['1.2'] }, onceCases, count, report);
  return count;
}

async function runSome(place, setting, version, options, some, count, report) {
  for (const [name, body] of Object.entries(some)) {
    const peers = [];
    const stranger = (more = {}) => {
      const peer = new Peer(place, { ...options, ...more });
      peers.push(peer);
      return peer;
    };
    const at = { ...place, version, stranger, peer: (more) => stranger(more).start() };
    let problem;
    try {
      await body(at);
      count.passed += 1;
    } catch (error) {
      problem = error;
      count.failed += 1;
    }
    report(`${setting}: ${name}`, problem);
    for (const peer of peers) await peer.vanish();
  }
}
