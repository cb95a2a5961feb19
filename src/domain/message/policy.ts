import type { MessageClass } from '#schemas/delivery.ts';
import type { WordingInput } from '#schemas/wording.ts';

/** What a tenant has decided about sending to many. */
export interface SendPolicy {
  /** A second person must approve a message to more people than this; null means never. */
  readonly approvalAbove: Readonly<Record<MessageClass, number | null>>;
  /** Whether a message to more than twice as many people as any before needs a second person too. */
  readonly doubling: boolean;
  /** Messages that one person may be sent within an hour; null means any number. Life messages are always sent, and count. */
  readonly hourlyCeiling: number | null;
  /** Whether programs are asked before what looks like a slip, as people always are. */
  readonly asksPrograms: boolean;
  /** The organisation's own wording, for life messages that do not say it themselves. */
  readonly says: WordingInput;
}

/** A new tenant begins with these limits. They also count as its largest message until it has sent a larger one. */
const START: Readonly<Record<MessageClass, number>> = { life: 100, ops: 1_000, bulk: 10_000 };

/** A new tenant begins with this policy. */
export const DEFAULT_POLICY: SendPolicy = { approvalAbove: START, doubling: true, hourlyCeiling: 10, asksPrograms: true, says: {} };

/** Lets one person do everything, for the demo, and for tests and load tests that are about something else. */
export const OPEN_POLICY = {
  approvalAbove: { life: null, ops: null, bulk: null },
  doubling: false,
  hourlyCeiling: null,
  asksPrograms: false,
  says: { who: 'Everybody', where: 'Here', instruction: 'Act on this' },
} satisfies SendPolicy;

/** Reads `tenants.policy`. Anything that is missing or of another kind has its default. */
export function policyOf(stored: Readonly<Record<string, unknown>>): SendPolicy {
  const { approvalAbove, doubling, hourlyCeiling, asksPrograms, says } = stored;
  const given = (typeof approvalAbove === 'object' && approvalAbove !== null ? approvalAbove : {}) as Record<string, unknown>;
  const limit = (messageClass: MessageClass): number | null => {
    const value = given[messageClass];
    return value === null || typeof value === 'number' ? value : DEFAULT_POLICY.approvalAbove[messageClass];
  };
  return {
    approvalAbove: { life: limit('life'), ops: limit('ops'), bulk: limit('bulk') },
    doubling: typeof doubling === 'boolean' ? doubling : DEFAULT_POLICY.doubling,
    hourlyCeiling: hourlyCeiling === null || typeof hourlyCeiling === 'number' ? hourlyCeiling : DEFAULT_POLICY.hourlyCeiling,
    asksPrograms: typeof asksPrograms === 'boolean' ? asksPrograms : DEFAULT_POLICY.asksPrograms,
    says: typeof says === 'object' && says !== null ? says : DEFAULT_POLICY.says,
  };
}

export interface ApproverRule {
  readonly rule: 'above_limit' | 'doubling';
  /** To how many people one person alone may send. */
  readonly limit: number;
}

/**
 * Finds the rule by which a second person must approve a message to so many people.
 * @param largest people of the tenant's largest message so far, 0 before the first
 * @returns undefined where one person may decide
 */
export function approverRule(policy: SendPolicy, messageClass: MessageClass, people: number, largest: number): ApproverRule | undefined {
  const limit = policy.approvalAbove[messageClass];
  if (limit !== null && people > limit) return { rule: 'above_limit', limit };
  const doubled = 2 * Math.max(largest, START[messageClass]);
  return policy.doubling && people > doubled ? { rule: 'doubling', limit: doubled } : undefined;
}
