import { expect, test } from 'vitest';
import { DELIVERY_STATES } from '#schemas/delivery.ts';
import { doubtText } from './doubt-text.ts';

const markedAt = '2026-11-22T14:02:11.250Z';

test('only what is in doubt says so, with the second of the call', () => {
  const said = DELIVERY_STATES.filter((state) => doubtText({ state, code: 'silence', markedAt }) !== null);
  expect(said).toEqual(['unknown', 'unresolved']);
  expect(doubtText({ state: 'unresolved', code: 'ECONNECTION', markedAt })).toBe('sent at 14:02:11 UTC, no answer from the carrier: may or may not have it');
  expect(doubtText({ state: 'unknown', code: 'lease_passed', markedAt })).toBe(
    'about to be sent at 14:02:11 UTC, when our sending process was cut off: may or may not have it',
  );
});
