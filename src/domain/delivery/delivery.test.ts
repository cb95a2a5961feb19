import { expect, test } from 'vitest';
import { backoffMs, MAX_ATTEMPTS, settle } from './delivery.ts';

test.each(['ops', 'bulk'] as const)('%s gives up after its attempts when the provider refuses each of them', (messageClass) => {
  expect(settle(messageClass, { kind: 'retryable', code: 'ECONNREFUSED' }, MAX_ATTEMPTS[messageClass] - 1, 0).state).toBe('pending');
  expect(settle(messageClass, { kind: 'retryable', code: 'ECONNREFUSED' }, MAX_ATTEMPTS[messageClass], 0)).toMatchObject({
    state: 'failed',
    code: 'ECONNREFUSED',
  });
});

test('life goes on, half a minute apart, and keeps its attempts for calls that may have been accepted', () => {
  const refused = settle('life', { kind: 'retryable', code: 'ECONNREFUSED' }, MAX_ATTEMPTS.life, 0.5);
  expect(refused).toMatchObject({ state: 'pending', uncounted: true, delayMs: backoffMs('life', MAX_ATTEMPTS.life, 0.5) });
  expect(refused.delayMs).toBeGreaterThan(15_000);
  expect(refused.delayMs).toBeLessThanOrEqual(32_000);
});

test("refused credentials are nobody's attempt, and life does not wait for a human", () => {
  const wrong = { kind: 'misconfigured', code: '20003', detail: 'wrong token' } as const;
  expect(settle('life', wrong, 1, 0)).toMatchObject({ state: 'pending', uncounted: true, delayMs: 1_000 });
  expect(settle('bulk', wrong, 1, 0)).toMatchObject({ state: 'pending', uncounted: true, delayMs: 30_000 });
});
