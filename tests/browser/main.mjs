// First proves on made-up pages that the crawl finds each fault, then crawls the demo, then pages full of hostile names.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { crawl } from "./crawl.mjs";
import { Browser, firstLine } from "./driver.mjs";
import { FAULTS, serve } from "./faults.mjs";
import { forge } from "./forgery.mjs";
import { crawlHostile } from "./hostile.mjs";

// A debug build needs its time to draw and fold nine months.
const DEMO_MS = 240_000;

let passed = 0;
let failed = 0;
function tell(name, wrong) {
  if (wrong.length === 0) passed += 1;
  else failed += 1;
  console.log(`test ${name} ... ${wrong.length === 0 ? "ok" : "FAILED"}`);
  for (const what of wrong) console.log(`    ${what}`);
}

async function proveChecks(browser) {
  const { server, url } = await serve();
  try {
    const { pages } = await crawl(browser, url);
    for (const [path, , expected] of FAULTS) {
      const wrong = pages.find((page) => page.path === path)?.wrong ?? [];
      const seen = wrong.some((what) => expected.test(what));
      tell(`a fault is found: ${path}`, seen ? [] : [`expected ${expected}, found ${JSON.stringify(wrong)}`]);
    }
    tell("a page without a fault has none", pages[0].wrong);
  } finally {
    server.close();
  }
}

async function crawlDemo(browser, folder) {
  const demo = spawn(resolve(process.env.LONGWATCH_BINARY), ["demo", "--listen", "127.0.0.1:0"], {
    cwd: folder,
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    const [, url] = await firstLine(demo, /listening on (http:\/\/[^\s]+)/, DEMO_MS, "longwatch demo");
    const { pages, left } = await crawl(browser, url, process.env.LONGWATCH_SCREENSHOTS);
    for (const page of pages) tell(`page ${page.path}`, page.wrong);
    tell("the demo has its pages", pages.length >= 12 ? [] : [`only ${pages.length} pages are linked`]);
    await forge(browser, url, tell);
    console.log(`${pages.length} pages; ${left} more links to pages of the same kinds`);
  } finally {
    demo.removeAllListeners("exit");
    demo.kill();
  }
}

const folder = mkdtempSync(join(tmpdir(), "longwatch-pages-"));
const browser = await Browser.start();
for (const part of [proveChecks, crawlDemo, (its, where) => crawlHostile(its, where, tell, process.env.LONGWATCH_SCREENSHOTS)]) {
  try {
    await part(browser, folder);
  } catch (error) {
    tell("the browser tests ran to their end", [error.stack]);
  }
}
await browser.stop();
rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
console.log(`\ntest result: ${failed ? "FAILED" : "ok"}. ${passed} passed; ${failed} failed`);
process.exit(failed ? 1 : 0);
