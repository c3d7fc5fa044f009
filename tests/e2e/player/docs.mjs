// Opens the page of the API in headless Chromium as somebody does who has a token: authorizes, and lists the jobs.
// Prints what was seen as one JSON object.
//
//   node docs.mjs URL CHROMIUM SCREENSHOT ORGANIZATION    (the token is read from standard input)
import {readFileSync} from 'node:fs';
import {launch} from './pages.mjs';

const [url, executablePath, screenshot, organization] = process.argv.slice(2);
const token = readFileSync(0, 'utf8').trim();

const browser = await launch(executablePath);
try {
  const page = await browser.newPage({viewport: {width: 1200, height: 900}});
  page.setDefaultTimeout(60_000);
  const requests = [], complaints = [];
  page.on('request', request => requests.push(request.url()));
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', error => complaints.push(String(error)));
  await page.goto(url);
  await page.locator('.opblock-summary').first().waitFor();
  await page.screenshot({path: screenshot});
  const operations = await page.locator('.opblock-summary').count();

  await page.locator('.scheme-container .authorize').click();
  await page.locator('.auth-container', {hasText: 'token'}).first().locator('input').fill(token);
  await page.locator('.auth-container', {hasText: 'token'}).first().locator('button.authorize').click();
  await page.locator('.btn-done').first().click();

  const list = page.locator('.opblock-get', {has: page.locator('[data-path="/api/v1/{org}/transcoding_jobs/"]')});
  await list.locator('.opblock-summary').click();
  await list.locator('.try-out__btn').click();
  await list.locator('tr[data-param-name="org"] input').fill(organization);
  await list.locator('.execute').click();
  const status = await list.locator('.live-responses-table .response .response-col_status').first().innerText();
  const curl = await list.locator('.curl-command').innerText();
  console.log(JSON.stringify({operations, status: Number.parseInt(status), curl, requests, complaints}));
} finally {
  await browser.close();
}
