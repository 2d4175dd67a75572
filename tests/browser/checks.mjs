// What every page has to hold. A check looks at the page that is open and returns what is wrong, in words.

const TAB = "\uE004";
const TAB_STOPS = 12;

// The document itself: one heading, names for everything that has to have one, no two things with one id.
export async function wholeness(browser) {
  return browser.run(() => {
    const wrong = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    const shown = (element) => element.getClientRects().length > 0;
    if (!document.documentElement.lang) wrong.push("the document has no language");
    if (!document.title.trim()) wrong.push("the page has no title");
    if (all("h1").length !== 1) wrong.push(`${all("h1").length} headings of the first level, not one`);
    if (all("main").length !== 1) wrong.push(`${all("main").length} main elements, not one`);
    for (const element of all("[style]")) wrong.push(`a style attribute on ${element.tagName}`);
    const ids = all("[id]").map((element) => element.id);
    const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
    if (twice.length) wrong.push(`ids that stand twice: ${[...new Set(twice)].slice(0, 5).join(", ")}`);
    for (const image of all("svg[role=img]")) {
      const names = (image.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean);
      const labelled = names.some((id) => document.getElementById(id)?.textContent.trim());
      if (!labelled && !image.getAttribute("aria-label")) wrong.push("an image without a name");
    }
    for (const field of all("input:not([type=hidden]), select, textarea").filter(shown)) {
      if (!field.labels?.length && !field.getAttribute("aria-label")) wrong.push(`a field without a label: ${field.name}`);
    }
    for (const control of all("a[href], button").filter(shown)) {
      const name = control.textContent.trim() || control.getAttribute("aria-label");
      if (!name) wrong.push(`a ${control.tagName} without words`);
    }
    for (const table of all("table")) {
      if (!table.querySelector("th")) wrong.push("a table without headers");
    }
    return wrong;
  });
}

// Nothing may be wider than the window; only the navigation and tables of dates scroll on their own.
export async function width(browser) {
  return browser.run(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const beyond = [...document.querySelectorAll("body *")].filter(
      (element) => element.getBoundingClientRect().right > root.clientWidth + 1,
    );
    const name = (element) => element.tagName.toLowerCase() + (element.classList[0] ? `.${element.classList[0]}` : "");
    const names = [...new Set(beyond.map(name))].slice(0, 6).join(", ");
    return [`${root.scrollWidth} px wide in a window of ${root.clientWidth}: ${names}`];
  });
}

// The keyboard: the first stop leads past the navigation, and every stop shows where it is. A page whose one field has
// the focus from the start is past its navigation already.
export async function keyboard(browser) {
  const wrong = [];
  const inside = await browser.run(() => {
    const inside = !!document.querySelector("main [autofocus]");
    if (!inside) document.activeElement?.blur();
    window.scrollTo(0, 0);
    return inside;
  });
  for (let stop = 0; stop < TAB_STOPS; stop += 1) {
    await browser.press(TAB);
    const found = await browser.run((first) => {
      const element = document.activeElement;
      if (!element || element === document.body) return { end: true };
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      const target = element.getAttribute("href") || "";
      return {
        what: element.textContent.trim().slice(0, 40) || element.tagName,
        ringed: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none",
        seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0,
        skips: first && target.startsWith("#") && !!document.getElementById(target.slice(1)),
      };
    }, stop === 0);
    if (found.end) break;
    if (stop === 0 && !inside && !found.skips) wrong.push(`the first stop, "${found.what}", does not skip to the content`);
    if (!found.ringed) wrong.push(`the focus on "${found.what}" does not show`);
    if (!found.seen) wrong.push(`the focus goes to "${found.what}", which is out of sight`);
  }
  return wrong;
}

// Words of the main part, spaces evened out; controls that only a script can serve may say so by [data-script].
export async function words(browser) {
  return browser.run(() => {
    const main = document.querySelector("main");
    if (!main) return "";
    const copy = main.cloneNode(true);
    copy.querySelectorAll("[data-script]").forEach((element) => element.remove());
    return copy.textContent.replace(/\s+/g, " ").trim();
  });
}

// What the server says beside the page.
export function headers(answer) {
  const wrong = [];
  const policy = answer.headers.get("content-security-policy") || "";
  const parts = new Map(policy.split(";").map((part) => part.trim().split(/\s+(.*)/s).slice(0, 2)));
  if (parts.get("default-src") !== "'none'") wrong.push("the security policy does not begin with nothing allowed");
  if (parts.get("frame-ancestors") !== "'none'") wrong.push("the page may be framed");
  if (policy.includes("unsafe-")) wrong.push("the security policy allows something unsafe");
  if (answer.headers.get("x-content-type-options") !== "nosniff") wrong.push("the type may be sniffed");
  if (!answer.headers.get("referrer-policy")) wrong.push("no referrer policy");
  return wrong;
}
