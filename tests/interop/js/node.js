// The suite in Node, over the `ws` package.

import { WebSocket } from 'ws';
import { runAll } from './suite.js';

globalThis.WebSocket = WebSocket;
const place = { url: process.env.KOLEJKA_WS, WebSocket };
if (process.env.KOLEJKA_LOGIN) {
  place.connectHeaders = { login: process.env.KOLEJKA_LOGIN, passcode: process.env.KOLEJKA_PASSCODE };
}
const count = await runAll(place, (name, error) => {
  console.log(error ? `FAIL  ${name}\n      ${error.stack ?? error}` : `ok    ${name}`);
});
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
