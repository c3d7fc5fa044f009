// What all steps of console.mjs have: ways to wait, and a look at a page in both themes, on a desk and on a phone.
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
// What the theme or the width can change; the rest is the same markup.
const DRAWN = ['color-contrast', 'target-size', 'scrollable-region-focusable', 'link-name', 'button-name', 'label', 'select-name'];
const WIDE = {width: 1280, height: 900};
const PHONE = {width: 390, height: 844};

export class Scene {
  #violations = [];
  #refused = [];
  #foreign = new Set();
  #errors = [];
  #looked = {};

  constructor(page, what, axe) {
    this.page = page;
    this.what = what;
    this.axe = axe;
    const own = [what.api, what.storage];
    page.on('request', request => {
      const {origin, protocol} = new URL(request.url());
      if (protocol.startsWith('http') && !own.includes(origin)) this.#foreign.add(origin);
    });
    page.on('pageerror', error => this.#errors.push(error.message));
  }

  /** To be called before the first page is opened. */
  begin() {
    return this.page.addInitScript(() => {
      window.refused = [];
      document.addEventListener('securitypolicyviolation', event => window.refused.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
  }

  /** Go to a page of the organization. heading: what it is called, null for any. */
  async open(path, heading) {
    await this.page.goto(`${this.what.api}/console/${this.what.org}/${path}`);
    await (heading ? this.page.getByRole('heading', {name: heading, level: 1}) : this.page.locator('h1')).waitFor();
  }

  /** Wait until something is so in the page. */
  until(condition, argument) {
    return this.page.waitForFunction(condition, argument, {polling: 50});
  }

  changed(locator, text) {
    return locator.evaluate((element, former) => new Promise(resolve => {
      const watch = new MutationObserver(() => element.innerText !== former && (watch.disconnect(), resolve()));
      watch.observe(element, {childList: true, characterData: true, subtree: true});
      if (element.innerText !== former) resolve();
    }), text);
  }

  /** Hold the page against the rules of accessibility, wide and light, and on a phone and dark. */
  async look(name) {
    const {page} = this;
    this.#refused.push(...(await page.evaluate(() => window.refused)));
    await page.evaluate(this.axe);
    this.#looked[name] = {};
    for (const [colorScheme, size, runOnly] of [['light', WIDE, {type: 'tag', values: RULES}], ['dark', PHONE, {type: 'rule', values: DRAWN}]]) {
      await page.emulateMedia({colorScheme, reducedMotion: 'reduce'});
      await page.setViewportSize(size);
      await this.#settled(colorScheme, size.width);
      const {violations, passes} = await page.evaluate(rules => window.axe.run(document, {runOnly: rules, resultTypes: ['violations'], preload: false}), runOnly);
      for (const {id, nodes} of violations) this.#violations.push(`${name}, ${colorScheme}: ${id}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      this.#looked[name][colorScheme] = {passes: passes.length, over};
    }
    await page.emulateMedia({colorScheme: 'light', reducedMotion: 'reduce'});
    await page.setViewportSize(WIDE);
    await this.#settled('light', WIDE.width);
    await page.evaluate(() => { window.refused = []; });
  }

  /** Wait until the page is drawn so. */
  #settled(colorScheme, width) {
    return this.page.evaluate(([scheme, wanted]) => new Promise(resolve => {
      const look = () => (matchMedia(`(prefers-color-scheme: ${scheme})`).matches && innerWidth === wanted
        ? requestAnimationFrame(() => requestAnimationFrame(resolve)) : requestAnimationFrame(look));
      look();
    }), [colorScheme, width]);
  }

  report() {
    return {violations: this.#violations, refused: this.#refused, foreign: [...this.#foreign], errors: this.#errors, looked: this.#looked};
  }
}
