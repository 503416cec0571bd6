// open.js FOLDER: serves a folder on localhost, opens its index.html in Chromium, and stays until its client has written.

import { withChromium } from '../interop/js/chromium.js';
import { serve } from '../interop/js/static.js';

const server = await serve({ '/': `${process.argv[2]}/` });
await withChromium(async (page) => {
  await page.open(`http://localhost:${server.port}/`);
  await page.until(() => page.run('return client.connected && client.webSocket.bufferedAmount === 0'), 'a connection');
  console.log('opened');
});
server.close();
