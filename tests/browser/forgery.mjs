// Another site sends a form in its visitor's name: the server has to refuse it, whatever cookies the browser would add.

import { createServer } from "node:http";

const SUBMIT = "addEventListener('load', () => document.forms[0].submit())";
const WAIT_MS = 10_000;

export async function forge(browser, url, tell) {
  const target = new URL("/login", url).href;
  const page = `<!doctype html><title>elsewhere</title><form method="post" action="${target}">
    <input name="name" value="admin"><input name="password" value="guess"></form><script>${SUBMIT}</script>`;
  const server = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(page));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    // Another name for this machine is another site.
    await browser.go(`http://localhost:${server.address().port}/`);
    const status = await landed(browser, target);
    tell("a form sent by another site is refused", status === 403 ? [] : [`answered with ${status}`]);
  } finally {
    server.close();
  }
}

// The status with which the browser landed on the target; for an answer without words it shows a page of its own.
async function landed(browser, target) {
  for (const until = Date.now() + WAIT_MS; Date.now() < until; ) {
    const href = await browser.call("GET", "/url");
    const [status, words] = await browser.run(() => {
      const [navigation] = performance.getEntriesByType("navigation");
      return [navigation?.responseStatus, document.body?.innerText ?? ""];
    });
    const own = words.match(/HTTP ERROR (\d+)/);
    if (href.startsWith(target) && (own || status)) return own ? Number(own[1]) : status;
    await new Promise((done) => setTimeout(done, 200));
  }
  return "nothing";
}
