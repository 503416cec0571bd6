// The same suite in headless Chromium: its own WebSocket, its own Origin.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withChromium } from './chromium.js';
import { serve } from './static.js';

const SUITE_MS = 240000;
const here = dirname(fileURLToPath(import.meta.url));

const server = await serve({ '/': here, '/stompjs/': join(here, 'node_modules/@stomp/stompjs/esm6') });
const parameters = new URLSearchParams({ ws: process.env.KOLEJKA_WS });
if (process.env.KOLEJKA_LOGIN) {
  parameters.set('login', process.env.KOLEJKA_LOGIN);
  parameters.set('passcode', process.env.KOLEJKA_PASSCODE);
}
const { count, lines } = await withChromium(async (page) => {
  await page.open(`http://127.0.0.1:${server.port}/page.html?${parameters}`);
  const count = await page.until(() => page.run('return window.count'), 'the end of the suite', SUITE_MS);
  return { count, lines: await page.run('return window.lines') };
});
server.close();
console.log(lines.join('\n'));
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
