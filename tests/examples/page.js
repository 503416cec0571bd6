// page.js ADDRESS: clicks the button of the example's page, watches its job to the end, and comes again when all is over.

import { withChromium } from '../interop/js/chromium.js';

await withChromium(async (page) => {
  await page.open(process.argv[2]);
  await page.click('#make');
  await page.until(async () => (await page.text('#state')) === 'waiting', 'the job');
  console.log('the page answered', await page.text('#answered'));
  console.log('state: waiting');

  await page.until(() => page.text('#result'), 'a result', 20000);
  console.log('history:', await page.text('#history'));
  console.log('progress:', await page.text('#at'));
  console.log('result:', await page.text('#result'));

  await page.open(await page.run('return location.href'));
  await page.until(() => page.text('#result'), 'the result, for a late one');
  console.log('late:', await page.text('#state'), await page.text('#at'), await page.text('#result'));
});
