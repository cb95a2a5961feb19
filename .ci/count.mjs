// The closing line of CI: counts from vitest's JSON report and from the list of checks. Exits with 1 when anything
// failed, when nothing ran, or when a command ended badly without saying why.
import { existsSync, readFileSync } from 'node:fs';

const [report, checks, testsExit, checksExit] = process.argv.slice(2);
let passed = 0;
let failed = 0;
let skipped = 0;

if (existsSync(report)) {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  for (const file of testResults) {
    for (const { status, fullName } of file.assertionResults) {
      if (status === 'passed') passed += 1;
      else if (status === 'failed') failed += 1;
      else {
        skipped += 1;
        console.log(`SKIPPED: ${fullName}`);
      }
    }
    // A file that could not be loaded has no test to blame.
    if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')) {
      failed += 1;
      console.log(`FAILED TO LOAD: ${file.name}`);
    }
  }
} else {
  failed += 1;
  console.log('FAILED: the tests left no report');
}
if (failed === 0 && Number(testsExit) !== 0) {
  failed += 1;
  console.log(`FAILED: npm test ended with ${testsExit} although no test failed`);
}

const lines = existsSync(checks) ? readFileSync(checks, 'utf8').split('\n') : [];
const good = lines.filter((line) => line.startsWith('ok   ')).length;
const bad = lines.filter((line) => line.startsWith('FAIL ')).length;
passed += good;
failed += bad;
if (good + bad === 0 || (bad === 0 && Number(checksExit) !== 0)) {
  failed += 1;
  console.log(`FAILED: the checks ended with ${checksExit} and said nothing`);
}

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 || passed - good <= 0 ? 1 : 0;
