// A headless Chromium, steered by chromedriver in the WebDriver protocol: just what the tests need of it.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_MS = 20000;

/** Runs `body(page)` with a fresh browser, whatever happens ends it, and returns what `body` returned. */
export async function withChromium(body) {
  const profile = await mkdtemp(join(tmpdir(), 'kolejka-chromium-'));
  const driver = spawn('chromedriver', ['--port=0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise((resolve) => driver.once('exit', resolve));
  let session;
  try {
    const base = `http://127.0.0.1:${await portOf(driver)}`;
    session = await Session.open(base, profile);
    return await body(session);
  } finally {
    await session?.close();
    driver.kill();
    await gone;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function portOf(driver) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`chromedriver: not started in ${START_MS} ms`)), START_MS);
    driver.once('error', reject);
    let text = '';
    driver.stdout.on('data', (chunk) => {
      text += chunk;
      const found = /started successfully on port (\d+)/.exec(text);
      if (found) {
        clearTimeout(timer);
        resolve(found[1]);
      }
    });
  });
}

class Session {
  static async open(base, profile) {
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'];
    args.push('--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage', `--user-data-dir=${profile}`);
    const options = { args, binary: process.env.CHROMIUM ?? '/usr/bin/chromium' };
    const capabilities = { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': options } };
    const { sessionId } = await call('POST', `${base}/session`, { capabilities });
    return new Session(`${base}/session/${sessionId}`);
  }

  constructor(url) {
    this.url = url;
  }

  open(address) {
    return call('POST', `${this.url}/url`, { url: address });
  }

  /** Runs a function body in the page and returns its value. */
  run(script, ...args) {
    return call('POST', `${this.url}/execute/sync`, { script, args });
  }

  async click(selector) {
    await this.run('document.querySelector(arguments[0]).click()', selector);
  }

  text(selector) {
    return this.run('return document.querySelector(arguments[0])?.innerText ?? ""', selector);
  }

  /** Asks until `probe()` gives something true; fails after `patience` ms. */
  async until(probe, what, patience = 10000) {
    const end = Date.now() + patience;
    for (;;) {
      const value = await probe();
      if (value) return value;
      if (Date.now() > end) throw new Error(`${what}: not in ${patience} ms; the page shows: ${await this.text('body')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  close() {
    return call('DELETE', this.url).catch(() => undefined);
  }
}

async function call(method, url, body) {
  const response = await fetch(url, { method, body: body && JSON.stringify(body) });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
  return value;
}
