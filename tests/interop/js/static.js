// A static file server on a free loopback port, for pages that a test opens.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';

const types = { '.html': 'text/html', '.js': 'text/javascript', '.map': 'application/json' };

/** Serves files below the folders of `mounts`, `{ '/prefix/': folder }`; the longest prefix wins. Returns `{ port, close }`. */
export async function serve(mounts) {
  const prefixes = Object.keys(mounts).sort((a, b) => b.length - a.length);
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname));
    const prefix = prefixes.find((p) => path.startsWith(p));
    try {
      const body = await readFile(join(mounts[prefix], path.slice(prefix.length) || 'index.html'));
      response.writeHead(200, { 'content-type': `${types[extname(path)] ?? 'text/html'}; charset=utf-8` }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, close: () => server.close() };
}
