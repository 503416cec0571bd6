// Opens two windows' worth of the example page in Chromium and does with it what a visitor would.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withChromium } from '../interop/js/chromium.js';
import { serve } from '../interop/js/static.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const server = await serve({ '/': join(root, 'examples/browser'), '/node_modules/': join(root, 'tests/interop/js/node_modules') });
const address = `http://127.0.0.1:${server.port}/?port=${process.env.KOLEJKA_PORT}`;

await withChromium(async (page) => {
  await page.open(address);
  await page.until(async () => (await page.text('#state')) === 'connected', 'connected');
  console.log('state: connected');

  await page.click('#send');
  console.log('job done:', await page.until(() => page.text('#jobs li'), 'a job'));

  await page.run('window.other = document.body.appendChild(Object.assign(document.createElement("iframe"), { src: location.href }))');
  const other = (id) => page.run('return other.contentDocument?.querySelector(arguments[0])?.innerText ?? ""', id);
  await page.until(async () => (await other('#state')) === 'connected', 'the second page connected');
  await page.click('#news');
  const [here, there] = [await page.until(() => page.text('#heard li'), 'news'), await page.until(() => other('#heard li'), 'news there')];
  console.log('heard by both pages:', here === there ? here : `${here} / ${there}`);
});
server.close();
