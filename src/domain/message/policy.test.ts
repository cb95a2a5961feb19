import { describe, expect, test } from 'vitest';
import { approverRule, DEFAULT_POLICY, OPEN_POLICY, policyOf } from './policy.ts';

describe('a tenant’s policy', () => {
  test('has a default for everything that is missing or of another kind', () => {
    expect(policyOf({})).toEqual(DEFAULT_POLICY);
    expect(policyOf({ approvalAbove: 'many', doubling: 'yes' })).toEqual(DEFAULT_POLICY);
    expect(policyOf({ approvalAbove: { life: null, bulk: 5 } })).toEqual({ ...DEFAULT_POLICY, approvalAbove: { life: null, ops: 1_000, bulk: 5 } });
    expect(policyOf({ ...OPEN_POLICY })).toEqual(OPEN_POLICY);
  });
});

describe('a second person must approve', () => {
  test.each([
    ['life', 100, undefined],
    ['life', 101, { rule: 'above_limit', limit: 100 }],
    ['ops', 1_001, { rule: 'above_limit', limit: 1_000 }],
    ['bulk', 10_000, undefined],
    ['bulk', 10_001, { rule: 'above_limit', limit: 10_000 }],
  ] as const)('a new tenant sends %s to %i people: %j', (messageClass, people, rule) => {
    expect(approverRule(DEFAULT_POLICY, messageClass, people, 0)).toEqual(rule);
  });

  const high = policyOf({ approvalAbove: { life: 50_000, ops: null, bulk: null } });

  test.each([
    // Until a larger message was sent, the first limit of the class stands for the largest.
    ['life', 200, 0, undefined],
    ['life', 201, 0, { rule: 'doubling', limit: 200 }],
    ['life', 201, 101, undefined],
    ['life', 1_000, 500, undefined],
    ['life', 1_001, 500, { rule: 'doubling', limit: 1_000 }],
    ['life', 50_001, 50_000, { rule: 'above_limit', limit: 50_000 }],
    ['bulk', 20_000, 3, undefined],
    ['bulk', 20_001, 3, { rule: 'doubling', limit: 20_000 }],
  ] as const)('%s to %i people, the largest so far %i: %j', (messageClass, people, largest, rule) => {
    expect(approverRule(high, messageClass, people, largest)).toEqual(rule);
  });

  test('never, where the tenant has both rules off', () => {
    expect(approverRule(OPEN_POLICY, 'life', 10_000_000, 1)).toBeUndefined();
  });
});
