// Works with the console in headless Chromium as a person does, and prints what it saw as one JSON object.
//
//   node console.mjs < what.json      {api, storage, username, password, org, chromium, folder, source, output, played, cancelled, file}
//
// source, output: of a job to be made; played: id of a completed job; cancelled: id of one to be cancelled and retried; file: a
// video to be uploaded. The folder gets a picture of the page where a step fails.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {launch} from './pages.mjs';
import {Scene} from './scene.mjs';

const what = JSON.parse(readFileSync(0, 'utf8'));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// As long as a job may take on a busy machine, in milliseconds.
const PATIENCE = 90_000;

const browser = await launch(what.chromium, {timeout: PATIENCE});
const report = {};
const context = await browser.newContext({viewport: {width: 1280, height: 900}, permissions: ['clipboard-read', 'clipboard-write']});
context.setDefaultTimeout(PATIENCE);
const scene = new Scene(await context.newPage(), what, axe);
const {page} = scene;
await scene.begin();

const steps = {
  async signIn() {
    await page.goto(`${what.api}/`);
    await scene.look('login');
    await page.getByLabel('User name').fill(what.username);
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', {name: 'Sign in'}).click();
    const refusal = await page.getByRole('alert').innerText();
    await page.getByLabel('Password').fill(what.password);
    await page.getByRole('button', {name: 'Sign in'}).click();
    await page.getByRole('heading', {name: 'Jobs', level: 1}).waitFor();
    return {refusal, path: new URL(page.url()).pathname};
  },

  async cancelAndRetry() {
    await scene.open('jobs', 'Jobs');
    const row = page.locator(`tr[data-job="${what.cancelled}"]`);
    await row.waitFor();
    await scene.look('jobs');
    await row.getByRole('checkbox').check();
    await page.getByRole('region', {name: 'Selected jobs'}).getByRole('button', {name: /Cancel/}).click();
    await scene.look('question');
    await page.getByRole('dialog').getByRole('button', {name: /^Cancel/}).click();
    await row.getByText('Cancelled', {exact: true}).waitFor();
    await row.getByRole('checkbox').check();
    await page.getByRole('region', {name: 'Selected jobs'}).getByRole('button', {name: /Retry/}).click();
    await page.getByText('1 job sent again.').waitFor();
    await scene.until(former => document.querySelectorAll('tr[data-job]')[0]?.dataset.job !== former, what.cancelled);
    return {counts: await page.locator('.filters .tabs a').allInnerTexts()};
  },

  async find() {
    await page.getByLabel('Search jobs').fill(what.cancelled);
    await scene.until(() => document.querySelectorAll('tr[data-job]').length === 1);
    const search = new URL(page.url()).search;
    await page.keyboard.press('Escape');
    await scene.until(() => document.querySelectorAll('tr[data-job]').length > 1);
    // The keys of the page, away from the box.
    await page.locator('h1').click();
    await page.keyboard.press('j');
    const focused = await page.evaluate(() => document.activeElement.className);
    await page.keyboard.press('x');
    const ticked = await page.locator('tr.ticked').count();
    return {search, focused, ticked};
  },

  async submit() {
    await scene.open('jobs/new', 'New job');
    await page.getByRole('button', {name: 'Create the job'}).waitFor();
    await page.getByRole('tab', {name: 'Address'}).click();
    await page.getByRole('button', {name: 'Create the job'}).click();
    const messages = await page.locator('.wrong').allInnerTexts();
    await scene.look('new job');
    await page.getByRole('textbox', {name: 'Address'}).fill(what.source);
    await page.getByRole('textbox', {name: 'Place in a bucket'}).fill(what.output);
    for (const name of ['480p', '720p']) await page.getByLabel(name, {exact: true}).uncheck();
    await page.getByRole('button', {name: 'Create the job'}).click();
    await page.waitForURL(/jobs\/[^/]{11}$/);
    const seen = [];
    const chip = page.locator('.job-state .chip');
    while (!['Completed', 'Error'].includes(seen.at(-1))) {
      const status = await chip.innerText();
      if (status !== seen.at(-1)) seen.push(status);
      else await scene.changed(chip, status);
    }
    await page.getByRole('button', {name: 'Copy as curl'}).click();
    const curl = await page.evaluate(() => navigator.clipboard.readText());
    return {messages, seen, id: page.url().split('/').at(-1), renditions: await page.locator('table tbody tr').count(), curl};
  },

  async play() {
    await scene.open(`jobs/${what.played}`, null);
    await page.locator('.gantt .bar.encode').first().waitFor({state: 'attached'});
    await scene.look('job');
    await page.getByRole('button', {name: 'Play', exact: true}).click();
    await scene.until(() => document.querySelector('video')?.currentTime > 0.5);
    await page.locator('media-rendition-menu-button').click();
    const names = (await page.locator('media-rendition-menu media-chrome-menu-item').allInnerTexts()).map(text => text.trim());
    const heights = [];
    for (const name of ['240p', '480p']) {
      if (!(await page.locator('media-rendition-menu').isVisible())) await page.locator('media-rendition-menu-button').click();
      await page.locator('media-rendition-menu media-chrome-menu-item', {hasText: name}).click();
      await scene.until(height => document.querySelector('video').videoHeight === height, Number.parseInt(name, 10));
      heights.push(await page.evaluate(() => document.querySelector('video').videoHeight));
    }
    await page.locator('media-time-range').hover({position: {x: 60, y: 10}});
    await scene.until(() => document.querySelector('media-time-range').hasAttribute('mediapreviewimage'));
    const preview = await page.evaluate(() => document.querySelector('media-time-range').getAttribute('mediapreviewimage'));
    const drawn = await page.evaluate(async address => {
      const image = new Image();
      image.src = address;
      await image.decode();
      return image.naturalWidth;
    }, preview);
    await scene.look('player');
    return {names, heights, drawn, text: await page.locator('.player footer').innerText()};
  },

  async webhook() {
    await scene.open('webhooks', 'Webhooks');
    await scene.look('webhooks');
    await page.locator('.hooks a', {hasText: what.hook}).click();
    await page.getByRole('button', {name: 'Send a test'}).click();
    const rows = page.locator('table tbody tr');
    await rows.filter({hasText: 'delivered'}).first().waitFor();
    const before = await rows.count();
    await scene.look('webhook');
    await page.getByRole('button', {name: /^Replay/}).first().click();
    await scene.until(count => document.querySelectorAll('table tbody tr').length > count, before);
    await page.getByRole('button', {name: 'Bodies'}).first().click();
    await page.getByRole('region', {name: 'what was sent'}).waitFor();
    await scene.look('bodies');
    const sent = JSON.parse(await page.getByRole('region', {name: 'what was sent'}).innerText());
    await page.keyboard.press('Escape');
    return {before, after: await rows.count(), sent};
  },

  async upload() {
    await scene.open('jobs/new', 'New job');
    await page.locator('input[type=file]').setInputFiles(what.file);
    await page.getByText(', uploaded').waitFor();
    await page.getByRole('button', {name: /^Use s3:/}).click();
    return {output: await page.getByRole('textbox', {name: 'Place in a bucket'}).inputValue()};
  },

  async rest() {
    await scene.open('usage', 'Usage');
    await page.locator('.chart canvas').first().waitFor();
    await scene.look('usage');
    const figures = await page.locator('.figures .panel').allInnerTexts();
    await scene.open('workers', 'Workers');
    await page.getByText('transcoder').first().waitFor();
    await scene.look('workers');
    for (const tab of ['members', 'tokens', 'storage', 'account']) {
      await scene.open(`settings?tab=${tab}`, 'Settings');
      await page.locator('.panel').first().waitFor();
      await scene.look(tab);
    }
    await page.getByRole('button', {name: 'Sign out'}).click();
    await page.getByRole('heading', {name: 'Sign in'}).waitFor();
    return {figures};
  },
};

try {
  for (const [name, step] of Object.entries(steps)) {
    try {
      report[name] = await step();
    } catch (error) {
      await page.screenshot({path: `${what.folder}/failed.png`});
      throw new Error(`${name}: ${error.message}`);
    }
  }
  console.log(JSON.stringify({...report, ...scene.report()}));
} finally {
  await browser.close();
}
