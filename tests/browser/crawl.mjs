// Goes to every page that links lead to, in both widths and both colour schemes, and collects what is wrong.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import * as checks from "./checks.mjs";

const LOOKS = [[1280, "light"], [1280, "dark"], [390, "light"], [390, "dark"]];
// Pages of one kind differ in what they name or filter only: so many of a kind are enough, and so many in all.
const OF_A_KIND = 4;
const PAGES = 150;

// Which kind of page an address is: names and numbers in it replaced, its query by whether it has one.
export function kind(url) {
  const path = url.pathname.split("/").map((part) => (/[\d%.]|^[0-9a-f-]{16,}$/i.test(part) ? ":" : part));
  // What follows one of these words is a name.
  const named = path.map((part, at) => (/^(p|projects|flows|findings|gates|releases|series|verdicts|months)$/.test(path[at - 1]) ? ":" : part));
  return named.join("/") + (url.search ? "?" : "");
}

export async function crawl(browser, start, screenshots) {
  const origin = new URL(start).origin;
  const waiting = [new URL(start).href];
  const known = new Set(waiting);
  const kinds = new Map();
  const pages = [];
  let left = 0;
  while (waiting.length) {
    const href = waiting.shift();
    const of = kind(new URL(href));
    if ((kinds.get(of) ?? 0) >= OF_A_KIND || pages.length >= PAGES) {
      left += 1;
      continue;
    }
    kinds.set(of, (kinds.get(of) ?? 0) + 1);
    const page = { path: href.slice(origin.length), wrong: [] };
    pages.push(page);
    const answer = await fetch(href, { redirect: "manual" });
    if (answer.status !== 200 && !(answer.status >= 300 && answer.status < 400)) page.wrong.push(`status ${answer.status}`);
    if (!(answer.headers.get("content-type") || "").startsWith("text/html")) continue;
    page.wrong.push(...checks.headers(answer));
    for (const link of await visit(browser, href, page, screenshots)) {
      const to = new URL(link);
      to.hash = "";
      if (to.origin !== origin || known.has(to.href)) continue;
      known.add(to.href);
      waiting.push(to.href);
    }
  }
  return { pages, left };
}

// All checks of one page; returns where it links to.
async function visit(browser, href, page, screenshots) {
  const report = async (where, check) => {
    try {
      for (const what of await check()) page.wrong.push(`${where}: ${what}`);
    } catch (error) {
      page.wrong.push(`${where}: ${error.message}`);
    }
  };
  let links = [];
  let scripted = "";
  await browser.errors();
  for (const [wide, scheme] of LOOKS) {
    const where = `${wide} ${scheme}`;
    await browser.look(wide, scheme);
    await report(where, async () => {
      await browser.go(href);
      const dialog = await browser.dialog();
      return dialog === null ? [] : [`a dialog opened: ${dialog}`];
    });
    await report(where, () => checks.width(browser));
    if (screenshots) await keep(browser, screenshots, page.path, where);
    if (scheme === "light") {
      await report(where, () => checks.wholeness(browser));
      await report(where, () => checks.keyboard(browser));
    }
    await report(where, () => browser.errors());
    if (links.length === 0) {
      links = await browser.run(() => [...document.querySelectorAll("a[href]")].map((a) => a.href)).catch(() => []);
      scripted = await checks.words(browser).catch(() => "");
      page.words = scripted;
    }
  }
  await report("without scripts", async () => {
    const plain = await plainly(browser, href);
    if (plain === scripted) return [];
    // Deliveries are tried again and blind spots found meanwhile: what counts is what it says at the same time.
    await browser.go(href);
    scripted = await checks.words(browser);
    const again = await plainly(browser, href);
    return [plain, again].includes(scripted) ? [] : [`the page says something else than with scripts: ${difference(scripted, again)}`];
  });
  return links;
}

// What a page says without scripts.
async function plainly(browser, href) {
  await browser.scripts(false);
  try {
    await browser.go(href);
    return await checks.words(browser);
  } finally {
    await browser.scripts(true);
  }
}

// Where two texts part, with a few words around.
function difference(one, other) {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const around = (text) => JSON.stringify(text.slice(Math.max(0, at - 30), at + 50));
  return `${around(one)} became ${around(other)}`;
}

async function keep(browser, folder, path, look) {
  mkdirSync(folder, { recursive: true });
  const name = path.replace(/[^a-z0-9.]+/gi, "-").replace(/^-|-$/g, "").slice(0, 80) || "start";
  writeFileSync(join(folder, `${name}-${look.replace(" ", "-")}.png`), await browser.screenshot());
}
